"""Fixtures and settings that every package's tests share."""

from hypothesis import HealthCheck, settings

# The machines are shared and a first call may compile: no test depends on time.
settings.register_profile("swarmscope", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("swarmscope")

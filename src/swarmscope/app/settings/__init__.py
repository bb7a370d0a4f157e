"""Settings: a YAML file, environment variables and flags, in rising priority, checked as one."""

from swarmscope.app.settings.problems import SettingsError
from swarmscope.app.settings.root import Settings
from swarmscope.app.settings.sources import load_settings

__all__ = ["Settings", "SettingsError", "load_settings"]

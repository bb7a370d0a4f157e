import pytest

from swarmscope.store.embedded.logs.commit import LogCommitSettings
from swarmscope.store.embedded.logs.log_store import LogStoreSettings


@pytest.fixture
def open_logs(open_store):
    """Opens a store that keeps lines for ever; `more` are commit settings."""

    def open_(retention_s=None, **more):
        return open_store(logs=LogStoreSettings(retention_s, commit=LogCommitSettings(**more)))

    return open_


@pytest.fixture
def store(open_logs):
    return open_logs()

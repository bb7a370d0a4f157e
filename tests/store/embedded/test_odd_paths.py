import pytest

from swarmscope.model.contracts import Clock
from swarmscope.store.embedded.administration import MetricAdministration
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from swarmscope.store.embedded.unusable import StoreUnusableError
from tests.store.embedded.conftest import SystemClock


def test_quotes_and_letters_of_any_kind_are_fine(tmp_path):
    folder = tmp_path / "it's ä"
    clock: Clock = SystemClock()
    store = EmbeddedStore(StoreSettings(folder), clock)
    name = MetricAdministration(store).snapshot(skip_head=True)
    store.close()
    assert (folder / "clickhouse").is_dir()
    assert (folder / "snapshots" / name).is_dir()


def test_a_question_mark_is_refused_by_name(tmp_path):
    with pytest.raises(StoreUnusableError, match="may have no '\\?'"):
        EmbeddedStore(StoreSettings(tmp_path / "a?b=1"), SystemClock())
    assert not list(tmp_path.iterdir())

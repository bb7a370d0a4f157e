import pytest

from swarmscope.model.contracts import Clock
from swarmscope.store.embedded.administration import MetricAdministration
from swarmscope.store.embedded.restoring import restore_snapshot
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from swarmscope.store.embedded.unusable import StoreUnusableError
from tests.portion import portion
from tests.store.embedded.conftest import SystemClock, batch_of

_NAMES = ["it's ä", 'say "a"', "a%20b", "back\\slash", "100%", "%3F", "a+b", "a#b", "a;b=c, d"]


@pytest.mark.parametrize("name", _NAMES[: portion(9, 4)])
def test_nearly_all_characters_are_fine(tmp_path, name):
    folder = tmp_path / name
    clock: Clock = SystemClock()
    store = EmbeddedStore(StoreSettings(folder, metrics_retention_s=None), clock)
    store.sink.write_metrics(batch_of([({"__name__": "up"}, 1000, 1.0)]))
    snapshot = folder / "snapshots" / MetricAdministration(store).snapshot(skip_head=False)
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (folder / "clickhouse").is_dir()
    assert restore_snapshot(snapshot, folder / "again").samples == 1


@pytest.mark.parametrize("name", ["a?b=1", "a&b=1"])
def test_what_would_end_the_path_is_refused_by_name(tmp_path, name):
    with pytest.raises(StoreUnusableError, match=f"may have no '\\{name[1]}'"):
        EmbeddedStore(StoreSettings(tmp_path / name), SystemClock())
    assert not list(tmp_path.iterdir())

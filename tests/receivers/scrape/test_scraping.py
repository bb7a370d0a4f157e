"""Whole scrapes over real HTTP: labels, synthetic series, staleness, limits, negotiation."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from swarmscope import __version__
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import UnavailableError
from swarmscope.receivers.scrape import load_scrape_config, warm_up
from swarmscope.receivers.wire.decode_room import DecodeRoom
from tests.receivers.scrape.fakes import RecordingSink, WallClock, is_stale
from tests.receivers.scrape.served_target import Target, job_for, scraping, serving, until

FIVE = b'# HELP a_total Some\n# TYPE a_total counter\na_total{x="1"} 5\na_total{x="2",job="own"} 6\nb 7\nb2 8\nb3 9\n'


@pytest.fixture(autouse=True, scope="module")
def _compiled():
    warm_up()


def last_error(manager, instance=None):
    """The error of the target (of the first one), "" while there is none."""
    active = [t for t in manager.targets().active if instance in (None, t.labels["instance"])]
    return active[0].last_error if active else ""


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_scrape_stores_samples_with_target_labels_and_report():
    target = Target(FIVE)

    async def scene(address):
        # On a busy machine a scrape may take longer than the others' quarter of a second.
        async with scraping(job_for(address, scrape_interval="2s")) as (manager, sink):
            await until(lambda: len(sink.of("up", job="j")) >= 3)
            [active] = manager.targets().active
        assert sink.last("a_total", x="1", job="j", instance=address) == 5
        assert sink.last("a_total", x="2", job="j", exported_job="own") == 6
        assert sink.last("up", job="j", instance=address) == 1
        assert sink.last("scrape_samples_scraped", job="j") == 5
        assert sink.last("scrape_samples_post_metric_relabeling", job="j") == 5
        added = [value for _, value in sink.of("scrape_series_added", job="j")]
        assert added[0] == 5
        assert set(added[1:]) == {0}
        assert 0 < sink.last("scrape_duration_seconds", job="j") < 5
        # Known series are never decoded again.
        assert sink.decoded == 10
        assert sink.metadata["a_total"] == ["counter", "", "Some"]
        assert active.health == "up"
        assert active.last_error == ""
        assert active.scrape_url == f"http://{address}/metrics"
        assert (active.scrape_interval, active.scrape_timeout) == ("2s", "2s")
        assert active.labels == {"job": "j", "instance": address}
        assert active.discovered_labels["__address__"] == address
        assert active.last_scrape_ns > 0
        assert not any(is_stale(value) for samples in sink.samples.values() for _, value in samples)
        times = {ts for ts, _ in sink.of("up", job="j")}
        assert {ts for ts, _ in sink.of("b")} == times

    with serving(target) as address:
        run(scene(address))
    headers = target.requests[0][1]
    assert headers["User-Agent"] == f"Swarmscope/{__version__}"
    assert headers["X-Prometheus-Scrape-Timeout-Seconds"] == "2"
    assert headers["Accept-Encoding"] == "gzip"
    assert headers["Accept"] == (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    )


def test_vanished_series_and_failed_scrapes_go_stale():
    target = Target(b"a 1\nb 2\nc 3 1700000000000\n")

    async def scene(address):
        async with scraping(job_for(address, extra_scrape_metrics=True)) as (manager, sink):
            await until(lambda: sink.last("b") == 2)
            target.body = b"a 1\n"
            await until(lambda: is_stale(sink.last("b")))
            await asyncio.sleep(0.3)
            assert sum(is_stale(value) for _, value in sink.of("b")) == 1
            assert not is_stale(sink.last("a"))
            assert not is_stale(sink.last("c"))  # it came with its own time
            target.status = 500
            await until(lambda: is_stale(sink.last("a")))
            assert sink.last("up", job="j") == 0
            await until(lambda: "500" in last_error(manager))
            assert manager.targets().active[0].health == "down"
            target.status = 200
            await until(lambda: sink.last("a") == 1)
            target.body = b"a 1\nbad line\n"
            await until(lambda: is_stale(sink.last("a")))
            await until(lambda: last_error(manager).startswith("line 2: "))
            assert sink.last("scrape_timeout_seconds", job="j") == 0.25
            assert sink.last("scrape_body_size_bytes", job="j") == 13
            assert sink.last("scrape_sample_limit", job="j") == 0

    with serving(target) as address:
        run(scene(address))


def test_track_timestamps_staleness():
    target = Target(b"a 1\nc 3 1700000000000\n")

    async def scene(address):
        async with scraping(job_for(address, track_timestamps_staleness=True)) as (_, sink):
            await until(lambda: sink.last("c") == 3)
            target.body = b"a 1\n"
            await until(lambda: is_stale(sink.last("c")))

    with serving(target) as address:
        run(scene(address))


def test_honor_timestamps_false_uses_scrape_time():
    async def scene(address):
        async with scraping(job_for(address, honor_timestamps=False)) as (_, sink):
            await until(lambda: sum(not is_stale(value) for _, value in sink.of("c")) > 1)
        # On a busy machine a scrape may fail for being late: no sample is of its time.
        found = [ts for ts, value in sink.of("c") if not is_stale(value)]
        assert found == [ts for ts, value in sink.of("up", job="j") if value == 1]

    with serving(Target(b"c 3 1700000000000\n")) as address:
        run(scene(address))


def test_honor_labels():
    async def scene(address):
        async with scraping(job_for(address, honor_labels=True)) as (_, sink):
            await until(lambda: sink.last("up", job="j") == 1)
        assert sink.last("a", job="own", instance=address) == 1
        assert dict(next(key for key in sink.samples if ("__name__", "b") in key)) == {"__name__": "b", "job": "j"}

    with serving(Target(b'a{job="own"} 1\nb{instance=""} 2\n')) as address:
        run(scene(address))


def test_removed_target_goes_stale_and_a_changed_job_leaves_no_gap():
    target = Target(b"a 1\nb 1\n")

    async def scene(address):
        config = job_for(address)
        async with scraping(config) as (manager, sink):
            await until(lambda: sink.last("a") == 1)
            config["scrape_configs"][0]["metric_relabel_configs"] = [
                {"source_labels": ["__name__"], "regex": "b", "action": "drop"}
            ]
            await manager.reload(load_scrape_config(config))
            await until(lambda: is_stale(sink.last("b")))
            await asyncio.sleep(1.0)
            assert not any(is_stale(value) for _, value in sink.of("a"))
            assert not any(is_stale(value) for _, value in sink.of("up", job="j"))
            assert sink.last("scrape_samples_scraped", job="j") == 2
            assert sink.last("scrape_samples_post_metric_relabeling", job="j") == 1
            await manager.reload(load_scrape_config({}))
            assert manager.targets().active == []
            await until(lambda: is_stale(sink.last("a")) and is_stale(sink.last("up", job="j")))

    with serving(target) as address:
        run(scene(address))


def test_stop_marks_nothing_stale():
    async def scene(address):
        async with scraping(job_for(address)) as (_, sink):
            await until(lambda: sink.last("up", job="j") == 1)
        await asyncio.sleep(0.8)
        count = len(sink.of("up", job="j"))
        assert not is_stale(sink.last("up", job="j"))
        await asyncio.sleep(0.3)
        assert len(sink.of("up", job="j")) == count

    with serving(Target(b"# TYPE up_time gauge\nup_time 1\n")) as address:
        run(scene(address))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sample_limit": 4}, "sample_limit exceeded"),
        ({"label_limit": 3}, "label_limit exceeded"),
        ({"label_name_length_limit": 8}, ""),
        ({"label_name_length_limit": 7}, "label_name_length_limit exceeded"),
        ({"label_value_length_limit": 6}, "label_value_length_limit exceeded"),
        ({"body_size_limit": "20B"}, "body size limit exceeded"),
        ({"target_limit": 1}, "target_limit exceeded (number of targets: 2, limit: 1)"),
        ({"scrape_timeout": "10ms"}, "no answer within 0.01 s"),
        ({"metrics_path": "/other"}, "404"),
    ],
)
def test_limits_fail_the_scrape(settings, words):
    target = Target(b'a{x="1",y="2"} 5\nb 1\nc 1\nd 1\ne 1\n')
    if "scrape_timeout" in settings:
        target.delay_s = 0.05
    if "metrics_path" in settings:
        target.status = 404
    two = "target_limit" in settings

    async def scene(address):
        config = job_for(address, **settings)
        if two:
            config["scrape_configs"][0]["static_configs"].append({"targets": ["localhost:1"]})
        async with scraping(config) as (manager, sink):
            await until(lambda: sink.last("up", instance=address) is not None)
            if not words:
                await until(lambda: sink.last("a") == 5)
                return
            assert sink.last("up", instance=address) == 0
            assert sink.of("a") == []
            await until(lambda: words in last_error(manager, address))

    with serving(target) as address:
        run(scene(address))


def test_gzip_and_bomb():
    target = Target(gzip.compress(b"a 1\n") + gzip.compress(b"b 2\n"))
    target.headers = {"Content-Encoding": "gzip"}

    async def scene(address):
        async with scraping(job_for(address, body_size_limit="10MB")) as (manager, sink):
            await until(lambda: sink.last("b") == 2)
            target.body = gzip.compress(b"# " + bytes(50_000_000))
            await until(lambda: last_error(manager) == "body size limit exceeded")
            target.body = gzip.compress(b"a 1\n" * 1000)[:-12]
            await until(lambda: "ends early" in last_error(manager))
            target.body = b"not gzip at all"
            await until(lambda: "damaged" in last_error(manager))

    with serving(target) as address:
        run(scene(address))


def test_content_type_decides_the_format():
    target = Target(b"a 1\n# EOF\n", content_type="application/openmetrics-text; version=1.0.0; charset=utf-8")

    async def scene(address):
        async with scraping(job_for(address)) as (manager, sink):
            await until(lambda: sink.last("a") == 1)
            target.body = b"a 1\n"
            await until(lambda: "# EOF" in last_error(manager))
            target.content_type = "application/json"
            await until(lambda: "'application/json'" in last_error(manager))
            target.content_type = None
            await until(lambda: "no Content-Type" in last_error(manager))
        target.content_type = "text/html"
        async with scraping(job_for(address, fallback_scrape_protocol="PrometheusText0.0.4")) as (_, sink):
            await until(lambda: sink.last("a") == 1)

    with serving(target) as address:
        run(scene(address))


def test_le_is_spelled_one_way_and_native_conversion():
    body = (
        b'# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="2.5"} 2\nh_bucket{le="1000000"} 5\n'
        b'h_bucket{le="+Inf"} 6\nh_sum 12.5\nh_count 6\n# TYPE g gauge\ng{le="1"} 1\n'
    )

    async def scene(address):
        async with scraping(job_for(address)) as (_, sink):
            await until(lambda: sink.last("up", job="j") == 1)
        assert sink.last("h_bucket", le="1.0") == 2
        assert sink.last("h_bucket", le="1e+06") == 5
        assert sink.last("g", le="1") == 1
        async with scraping(job_for(address, convert_classic_histograms_to_nhcb=True)) as (_, sink):
            await until(lambda: len(sink.histograms) > 1)
        labels, facts = sink.histograms[-1]
        assert dict(labels) == {"__name__": "h", "job": "j", "instance": address}
        assert facts["schema"] == -53
        assert facts["custom"] == [1, 2.5, 1e6]
        assert facts["positive"] == {0: 2, 2: 3, 3: 1}
        assert (facts["count"], facts["sum"], facts["is_float"]) == (6, 12.5, False)
        assert sink.of("h_count") == []
        assert sink.last("g") == 1

    with serving(Target(body)) as address:
        run(scene(address))


def test_exemplars_are_stored_once():
    target = Target(
        b'# TYPE a counter\na_total 1 # {id="x"} 0.5\n# EOF\n',
        content_type="application/openmetrics-text; version=1.0.0",
    )

    async def scene(address):
        async with scraping(job_for(address)) as (_, sink):
            await until(lambda: len(sink.of("up", job="j")) >= 3)
            assert len(sink.exemplars) == 1
            target.body = b'# TYPE a counter\na_total 2 # {id="y"} 0.5 3\n# EOF\n'
            await until(lambda: len(sink.exemplars) == 2)
        labels, ts_ms, value, own = sink.exemplars[1]
        assert dict(labels)["__name__"] == "a_total"
        assert (ts_ms, value, own) == (3000, 0.5, {"id": "y"})

    with serving(target) as address:
        run(scene(address))


def test_repeated_lines_keep_the_first_and_different_times_both():
    async def scene(address):
        async with scraping(job_for(address)) as (_, sink):
            await until(lambda: len(sink.of("up", job="j")) >= 2)
        ups = sum(value == 1 for _, value in sink.of("up", job="j"))
        assert {value for _, value in sink.of("a")} == {1.0}
        assert len(sink.of("a")) == ups
        assert sorted(set(sink.of("b"))) == [(1000, 1.0), (2000, 2.0)]

    with serving(Target(b"a 1\na 2\nb 1 1000\nb 2 2000\n")) as address:
        run(scene(address))


def test_store_that_is_down_shows_in_the_target():
    class Broken(RecordingSink):
        down = True

        def write_metrics(self, batch) -> Receipt:
            if self.down:
                raise UnavailableError("disk full")
            return super().write_metrics(batch)

    async def scene(address):
        sink = Broken()
        async with scraping(job_for(address), sink) as (manager, _):
            await until(lambda: "disk full" in last_error(manager))
            sink.down = False
            await until(lambda: sink.last("up_time") == 1)
            # What could not be stored was not remembered as seen.
            assert sink.of("scrape_series_added", job="j")[0][1] == 1
            assert sink.metadata == {"up_time": ["gauge", "", ""]}

    with serving(Target(b"# TYPE up_time gauge\nup_time 1\n")) as address:
        run(scene(address))


@pytest.mark.parametrize("ahead_s", [-3600, 86_400])
def test_a_clock_that_jumps_stops_no_scrape(ahead_s):
    clock = WallClock()

    async def scene(address):
        async with scraping(job_for(address), clock=clock) as (_, sink):
            await until(lambda: len(sink.of("up", job="j")) >= 2)
            before = sink.of("b", job="j")[-1][0]
            clock.ahead_ns = ahead_s * 10**9
            n_before = len(sink.of("b", job="j"))
            await until(lambda: len(sink.of("b", job="j")) >= n_before + 4, timeout_s=20)
            after = sink.of("b", job="j")[-1][0]
            assert abs(after - before - ahead_s * 1000) < 30_000

    with serving(Target(FIVE)) as address:
        run(scene(address))


def test_bodies_share_the_room_for_decoding():
    room = DecodeRoom(10_000, max_wait_s=0.2)

    async def scene(address):
        async with scraping(job_for(address), room=room) as (manager, sink):
            await until(lambda: sink.last("up", job="j") == 1)
            await until(lambda: room.held_bytes == 0)
            with room.taken(9_999):
                await until(lambda: sink.last("up", job="j") == 0)
                await until(lambda: "limits.max_decode_memory is 10000" in last_error(manager))
            await until(lambda: sink.last("up", job="j") == 1)
            # Alone, it is decoded however large it is.
            room.max_bytes = 1
            n_scrapes = len(sink.of("up", job="j"))
            await until(lambda: len(sink.of("up", job="j")) > n_scrapes + 2)
            assert sink.last("up", job="j") == 1
        assert room.held_bytes == 0

    with serving(Target(FIVE)) as address:
        run(scene(address))

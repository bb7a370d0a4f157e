from prometheus_client.parser import text_string_to_metric_families

from swarmscope.instrument import metrics


def _families(body: bytes) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_exposition_carries_what_was_counted():
    metrics.LIMITED_SAMPLES.labels(limit="limits.test_exposition").inc(3)
    body, content_type = metrics.to_exposition()
    assert b'swarmscope_limited_samples_total{limit="limits.test_exposition"} 3.0' in body
    assert content_type.startswith("text/plain")


def test_openmetrics_when_the_scraper_asks_for_it():
    body, content_type = metrics.to_exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_refresh_is_called_while_its_context_lives_and_no_longer():
    values = iter([7.0, 9.0])
    with metrics.refreshed_by(lambda: metrics.CATALOGUE_BYTES.set(next(values))):
        assert _families(metrics.to_exposition()[0])["swarmscope_catalogue_bytes"] == 7.0
    assert _families(metrics.to_exposition()[0])["swarmscope_catalogue_bytes"] == 7.0


def test_memory_of_the_process_is_told():
    assert _families(metrics.to_exposition()[0])["process_resident_memory_bytes"] > 1_000_000

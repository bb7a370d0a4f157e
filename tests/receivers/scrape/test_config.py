"""Prometheus' configuration language: what is read, what is refused, and how a refusal reads."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from swarmscope.model.durations import format_duration_ms, parse_duration_ms
from swarmscope.receivers.scrape import ScrapeConfigError, load_scrape_config
from swarmscope.receivers.scrape.negotiation import accept_header
from swarmscope.receivers.scrape.scalars import parse_size_bytes

FILE = Path(__file__).with_name("prometheus.yml")


def test_file_as_prometheus_reads_it():
    settings = load_scrape_config(FILE)
    plain, full = settings.jobs
    assert settings.external_labels == {"region": "eu", "replica": "1"}
    assert (plain.interval_ms, plain.timeout_ms) == (30_000, 5_000)
    # YAML's source text, not its octal meaning; and a label's value is no path.
    assert plain.config.static_configs[0].labels == {"env": "prod", "shard": "010", "log_file": "app"}
    assert (full.interval_ms, full.timeout_ms) == (90_000, 20_000)
    assert full.body_size_limit == 10 * 1024 * 1024
    assert (full.sample_limit, full.label_limit, full.target_limit) == (1000, 30, 5)
    config = full.config
    assert config.basic_auth.password_file == str(FILE.parent / "secrets/password")
    assert config.file_sd_configs[0].files == [str(FILE.parent / "targets/*.yml"), "/etc/all.json"]
    assert config.tls_config.insecure_skip_verify is True
    assert config.dns_sd_configs[0].type == "SRV"
    assert config.relabel_configs[2].regex == "1"
    assert config.http_sd_configs[0].refresh_interval == 120_000


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_same_file(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/password").write_text("x")
    (tmp_path / "targets").mkdir()
    # Debian's 2.42 knows every key of the file.
    shutil.copy(FILE, tmp_path / "prometheus.yml")
    done = subprocess.run(["promtool", "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def job(**settings):
    return {"scrape_configs": [{"job_name": "j", **settings}]}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (job(scrape_intervall="5s"), ["scrape_configs[0].scrape_intervall: unknown key", "'5s'", "scrape_interval,"]),
        (job(scrape_interval="5 s"), ["scrape_configs[0].scrape_interval: '5 s' is not a duration; allowed:"]),
        (job(scrape_interval="0s"), ["scrape_interval 0 is not allowed"]),
        (job(scrape_interval="5s", scrape_timeout="6s"), ["job 'j'", "scrape_timeout is greater"]),
        (job(sample_limit="many"), ["scrape_configs[0].sample_limit: 'many' is not a count; allowed:"]),
        (job(body_size_limit="10"), ["body_size_limit: '10' is not a size; allowed:"]),
        (job(scheme="ftp"), ["scheme: 'ftp' is not allowed; allowed: 'http' or 'https'"]),
        (job(honor_labels="maybe"), ["honor_labels: 'maybe' is not a boolean; allowed: true, false"]),
        (job(kubernetes_sd_configs=[{"role": "pod"}]), ["scrape_configs[0]: kubernetes_sd_configs is not supported"]),
        (job(oauth2={"client_id": "x"}), ["oauth2 is not supported"]),
        (job(bearer_token="a", basic_auth={"username": "b"}), ["at most one of"]),
        (job(static_configs=[{"targets": ["http://a/metrics"]}]), ["static_configs[0]", "'http://a/metrics'"]),
        (
            job(static_configs=[{"target": ["a"]}]),
            ["static_configs[0].target: unknown key", "allowed: labels, targets"],
        ),
        (job(relabel_configs=[{"regex": "("}]), ["relabel_configs[0]", "is not RE2"]),
        (job(relabel_configs=[{"action": "hashmod", "target_label": "a"}]), ["needs a modulus"]),
        (job(relabel_configs=[{"action": "lowercase"}]), ["needs a target_label"]),
        (job(relabel_configs=[{"action": "labeldrop", "source_labels": ["a"]}]), ["allows only action, regex"]),
        (job(relabel_configs=[{"action": "explode"}]), ["relabel_configs[0].action: 'explode' is not allowed"]),
        (job(dns_sd_configs=[{"names": ["a"], "type": "A"}]), ["port is required"]),
        (job(dns_sd_configs=[{"names": []}]), ["names"]),
        (job(file_sd_configs=[{"files": ["a.txt"]}]), ["a.txt' is not allowed"]),
        (job(http_sd_configs=[{"url": "sd"}]), ["url: 'sd' is not a URL"]),
        (job(scrape_protocols=["PrometheusText9"]), ["scrape_protocols[0]", "PrometheusText0.0.4"]),
        (job(tls_config={"cert_file": "a"}), ["tls_config", "needs both"]),
        (job(http_headers={"Authorization": {"values": ["x"]}}), ["Authorization is not allowed"]),
        (job(authorization={"type": "Basic", "credentials": "geheim"}), ["type Basic is not allowed"]),
        (job(metric_name_validation_scheme="legacy", metric_name_escaping_scheme="allow-utf-8"), ["needs validation"]),
        ({"scrape_configs": [{"scrape_interval": "5s"}]}, ["scrape_configs[0].job_name: required"]),
        ({"scrape_configs": [{"job_name": "a"}, {"job_name": "a"}]}, ["'a' stands twice"]),
        ({"global": {"x": 1}}, ["global.x: unknown key"]),
        ({"rule_files": []}, ["rule_files: not read by the scraper"]),
    ],
)
def test_refusals_say_where_what_and_what_is_allowed(config, words):
    with pytest.raises(ScrapeConfigError) as raised:
        load_scrape_config(config)
    for word in words:
        assert word in str(raised.value)


def test_all_faults_are_told_and_secrets_are_not():
    config = job(scrape_interval="x", sample_limit=-1, basic_auth={"username": "a", "password": ["hunter2"]})
    with pytest.raises(ScrapeConfigError) as raised:
        load_scrape_config(config)
    lines = str(raised.value).splitlines()
    assert len(lines) == 4
    assert "hunter2" not in str(raised.value)


def test_yaml_faults(tmp_path):
    file = tmp_path / "a.yml"
    for text, words in [("a: [", "not YAML"), ("global: {}\nglobal: {}\n", "stands twice"), ("- 1", "dictionary")]:
        file.write_text(text)
        with pytest.raises(ScrapeConfigError, match=words):
            load_scrape_config(file)
    with pytest.raises(ScrapeConfigError, match="cannot be read"):
        load_scrape_config(tmp_path / "absent.yml")
    file.write_text("scrape_configs:\n")
    assert load_scrape_config(file).jobs == []


def test_included_files(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/b.yml").write_text("scrape_configs:\n- job_name: b\n  bearer_token_file: token\n")
    (tmp_path / "main.yml").write_text("scrape_config_files: [jobs/*.yml]\nscrape_configs:\n- job_name: a\n")
    jobs = load_scrape_config(tmp_path / "main.yml").jobs
    assert [job.name for job in jobs] == ["a", "b"]
    assert jobs[1].config.bearer_token_file == str(tmp_path / "jobs/token")
    (tmp_path / "jobs/b.yml").write_text("global: {}\n")
    with pytest.raises(ScrapeConfigError, match=r"b\.yml: global: unknown key"):
        load_scrape_config(tmp_path / "main.yml")


def test_protocols_and_schemes():
    def header(**settings):
        return accept_header(load_scrape_config(job(**settings)).jobs[0])

    assert header(scrape_native_histograms=True).startswith("application/vnd.google.protobuf;proto=io.prometheus")
    assert header(scrape_protocols=["PrometheusText0.0.4"]) == "text/plain;version=0.0.4;q=0.6,*/*;q=0.5"
    assert "escaping=underscores" in header(metric_name_validation_scheme="legacy")
    assert "escaping=dots" in header(metric_name_escaping_scheme="dots")


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [
        ("0", 0),
        ("1ms", 1),
        ("1m30s", 90_000),
        ("1y2w3d4h5m6s7ms", (382 * 86_400 + 4 * 3600 + 5 * 60 + 6) * 1000 + 7),
        ("90m", 5_400_000),
    ],
)
def test_durations(text, duration_ms):
    assert parse_duration_ms(text) == duration_ms


@pytest.mark.parametrize("text", ["", "1", "s", "-1s", "1s1m", "1.5s", "300y", "٣s"])
def test_bad_durations(text):
    with pytest.raises(ValueError, match="duration"):
        parse_duration_ms(text)


def test_written_durations():
    assert [format_duration_ms(ms) for ms in (0, 90_000, 86_400_000, 5_400_000, 90_000_000, 1_500)] == [
        "0s", "1m30s", "1d", "1h30m", "25h", "1s500ms",
    ]  # fmt: skip
    assert [parse_size_bytes(text) for text in ("0", "1B", "1.5KiB", "2MB")] == [0, 1, 1536, 2 * 1024 * 1024]

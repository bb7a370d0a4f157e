import json

import pytest

from swarmscope import __version__
from swarmscope.api.parts import ApiSettings
from swarmscope.app.durations import Duration
from swarmscope.app.settings import Settings, SettingsError, load_settings
from swarmscope.app.settings.fields import is_loopback
from swarmscope.app.stages.reading import to_api_settings, to_engine_settings
from swarmscope.app.stages.storage import to_store_settings
from swarmscope.query.settings import EngineSettings
from swarmscope.store.embedded.commit import CommitSettings
from swarmscope.store.embedded.logs.commit import LogCommitSettings
from swarmscope.store.embedded.logs.log_store import LogStoreSettings
from swarmscope.store.embedded.store import StoreSettings

DAY_MS = 86_400_000
ISSUE_DOCUMENT = {
    "agent_config": {
        "capabilities": ["metrics_collection", "distributed_tracing", "anomaly_detection"],
        "priority": "critical",
        "max_concurrent_tasks": 20,
        "timeout": 3600,
        "retry_policy": {"max_retries": 3, "backoff": "exponential"},
        "observability_config": {
            "metrics_retention": "90d", "log_retention": "30d", "trace_retention": "7d",
            "sampling_rate": 0.1, "anomaly_sensitivity": "high", "alert_cooldown": 300,
        },
    }
}  # fmt: skip


def _problems(**sources) -> dict[str, str]:
    sources.setdefault("environ", {})
    with pytest.raises(SettingsError) as caught:
        load_settings(**sources)
    return {problem.path: str(problem) for problem in caught.value.problems}


def test_defaults_are_the_products_own():
    settings = load_settings(environ={})
    assert (settings.host, settings.port, settings.otlp_grpc_port, settings.otlp_http_port) == (
        "127.0.0.1", 4600, 4317, 4318,
    )  # fmt: skip
    kept = settings.retention
    assert (kept.metrics.ms, kept.logs.ms, kept.traces.ms) == (90 * DAY_MS, 30 * DAY_MS, 7 * DAY_MS)


def test_rising_priority_file_environment_flag(tmp_path):
    file = tmp_path / "swarmscope.yaml"
    file.write_text("port: 1001\notlp_grpc_port: 1002\notlp_http_port: 1003\nlimits: {max_label_names: 7}\n")
    environ = {"SWARMSCOPE_OTLP_GRPC_PORT": "2002", "SWARMSCOPE_OTLP_HTTP_PORT": "2003"}
    settings = load_settings({"otlp_http_port": 3003}, file=file, environ=environ)
    assert (settings.port, settings.otlp_grpc_port, settings.otlp_http_port) == (1001, 2002, 3003)
    assert settings.limits.max_label_names == 7


def test_sections_merge_key_by_key(tmp_path):
    file = tmp_path / "swarmscope.yaml"
    file.write_text("retention: {metrics: 1y, logs: 2d}\n")
    settings = load_settings(file=file, environ={"SWARMSCOPE_RETENTION__LOGS": "3d"})
    assert settings.retention.metrics.ms == 365 * DAY_MS
    assert settings.retention.logs.ms == 3 * DAY_MS
    assert settings.retention.traces.ms == 7 * DAY_MS


def test_the_processes_own_environment_counts_only_through_the_argument(monkeypatch):
    monkeypatch.setenv("SWARMSCOPE_PORT", "5555")
    assert load_settings(environ={}).port == 4600
    assert load_settings().port == 5555


@pytest.mark.parametrize("text", ["infinite", "0"])
def test_keep_for_ever(text):
    assert load_settings({"retention": {"metrics": text}}, environ={}).retention.metrics == Duration(0)


def test_lists_and_tenants_from_the_environment():
    settings = load_settings(
        environ={
            "SWARMSCOPE_OTLP__PROMOTE_RESOURCE_ATTRIBUTES": '["service.name"]',
            "SWARMSCOPE_LIMITS__TENANTS": '{"Team": {"max_active_series": 5}}',
        }
    )
    assert settings.otlp.promote_resource_attributes == ["service.name"]
    assert settings.limits.for_tenant("Team").max_active_series == 5
    assert settings.limits.for_tenant("Team").max_label_names == settings.limits.max_label_names
    assert settings.limits.for_tenant("other").max_active_series == settings.limits.max_active_series


def test_issue_document_is_accepted_as_it_stands(tmp_path):
    file = tmp_path / "agent.json"
    file.write_text(json.dumps(ISSUE_DOCUMENT))
    settings = load_settings(agent_file=file, environ={})
    assert settings.agent.capabilities == ["metrics_collection", "distributed_tracing", "anomaly_detection"]
    assert settings.agent.priority == "critical"
    assert settings.limits.max_concurrent_queries == 20
    assert settings.agent.task_timeout == Duration(3_600_000)
    assert (settings.agent.retry.max_retries, settings.agent.retry.backoff) == (3, "exponential")
    assert settings.traces.sampling_rate == 0.1
    assert settings.anomalies.sensitivity == "high"
    assert settings.alerts.cooldown == Duration(300_000)


def test_yaml_file_wins_over_the_agent_document(tmp_path):
    agent_file, file = tmp_path / "agent.json", tmp_path / "s.yaml"
    agent_file.write_text(json.dumps(ISSUE_DOCUMENT))
    file.write_text("traces: {sampling_rate: 0.5}\n")
    settings = load_settings(file=file, agent_file=agent_file, environ={})
    assert settings.traces.sampling_rate == 0.5
    assert settings.anomalies.sensitivity == "high"


def test_bad_agent_document_names_the_path_in_that_document(tmp_path):
    file = tmp_path / "agent.json"
    file.write_text('{"agent_config": {"priority": "urgent", "observability_config": {"metric_retention": "1d"}}}')
    problems = _problems(agent_file=file)
    assert "'critical'" in problems["agent_config.priority"]
    assert "did you mean metrics_retention?" in problems["agent_config.observability_config.metric_retention"]


def test_foreign_environment_variables():
    settings = load_settings(
        environ={
            "AGENT_TYPE": "observability", "LOG_LEVEL": "WARNING", "API_ENDPOINT": "http://api:8000/",
            "PROMETHEUS_URL": "http://p:9090", "GRAFANA_URL": "https://g", "JAEGER_URL": "http://j:16686",
            "LOKI_URL": "",
        }
    )  # fmt: skip
    assert (settings.agent.type, settings.log.level) == ("observability", "warning")
    assert settings.peers.api_endpoint == "http://api:8000"
    assert settings.peers.grafana_url == "https://g"
    assert settings.peers.loki_url is None


def test_unknown_key_names_path_value_source_and_what_is_allowed(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("limits:\n  max_active_serie: 5\n")
    problem = _problems(file=file)["limits.max_active_serie"]
    assert "= 5" in problem
    assert str(file) in problem
    assert "did you mean max_active_series?" in problem
    assert "max_label_names" in problem


def test_bad_value_in_a_tenants_limits():
    problems = _problems(flags={"limits": {"tenants": {"a": {"max_label_names": -1}}}})
    assert "greater than or equal to 0" in problems["limits.tenants.a.max_label_names"]


def test_every_bad_key_is_reported_at_once():
    problems = _problems(flags={"port": 70000, "retention": {"logs": "3x"}, "log": {"level": "loud"}})
    assert set(problems) == {"port", "retention.logs", "log.level"}
    assert "30s" in problems["retention.logs"]


def test_duration_without_a_unit_is_refused():
    assert "unit is missing" in _problems(flags={"alerts": {"cooldown": 300}})["alerts.cooldown"]


@pytest.mark.parametrize(
    ("variable", "value", "path", "words"),
    [
        ("SWARMSCOPE_PROT", "1", "SWARMSCOPE_PROT", "did you mean SWARMSCOPE_PORT?"),
        ("SWARMSCOPE_LIMITS__NONSENSE", "1", "limits.nonsense", "unknown key"),
        ("SWARMSCOPE_AUTH__TOKENS", "secret-word", "auth.tokens", "list"),
        ("LOG_LEVEL", "chatty", "log.level", "'debug'"),
        ("GRAFANA_URL", "grafana:3000", "peers.grafana_url", "http://"),
    ],
)
def test_bad_environment(variable, value, path, words):
    problem = _problems(environ={variable: value})[path]
    assert words in problem
    assert "environment" in problem
    assert "secret-word" not in problem


@pytest.mark.parametrize("content", ["a: [", "- 1\n- 2\n", "port: 1\nport: 2\n"])
def test_unreadable_yaml_is_told(tmp_path, content):
    file = tmp_path / "s.yaml"
    file.write_text(content)
    assert str(file) in _problems(file=file)


def test_missing_file_is_told(tmp_path):
    assert "No such file" in _problems(file=tmp_path / "none.yaml")[str(tmp_path / "none.yaml")]


def test_other_address_needs_a_token():
    told = _problems(flags={"host": "0.0.0.0"})["host"]
    assert told.startswith("host = '0.0.0.0' (flag): ")
    assert "auth.tokens" in told
    assert "must not be empty" in _problems(flags={"auth": {"tokens": [""]}})["auth.tokens[0]"]
    assert load_settings({"host": "0.0.0.0", "auth": {"tokens": ["t"]}}, environ={}).host == "0.0.0.0"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.0.1", False), ("example.org", False)],
)  # fmt: skip
def test_what_is_loopback(host, expected):
    assert is_loopback(host) is expected


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load_settings(environ={}).port = 1


def test_tokens_do_not_show_when_printed():
    assert "hush" not in repr(load_settings({"auth": {"tokens": ["hush"]}}, environ={}))


def test_packages_and_settings_have_the_same_defaults(tmp_path):
    settings = Settings(data=tmp_path)
    assert to_engine_settings(settings) == EngineSettings()
    assert to_api_settings(settings) == ApiSettings(version=__version__)
    storage = settings.storage
    commit = CommitSettings(max_generation_rows=storage.flush_samples, retention_ms=settings.retention.metrics.ms)
    log_commit = LogCommitSettings(
        max_generation_lines=storage.flush_lines, retention_ns=settings.retention.logs.ms * 10**6
    )
    assert to_store_settings(settings) == StoreSettings(
        tmp_path, commit=commit, logs=LogStoreSettings(commit=log_commit)
    )


def test_query_settings_reach_what_they_set(tmp_path):
    query = {
        "rollups": "never", "subquery_step": "30s", "max_points": 10, "max_label_cells": 11, "max_label_characters": 12,
        "max_response_bytes": "2KiB",
    }  # fmt: skip
    settings = Settings(data=tmp_path, query=query)
    engine = to_engine_settings(settings)
    assert (engine.rollups, engine.subquery_step_ms, engine.max_points) == ("never", 30_000, 10)
    assert engine.max_label_characters == 12
    assert to_api_settings(settings).max_response_bytes == 2048
    assert to_store_settings(settings).max_label_cells == 11

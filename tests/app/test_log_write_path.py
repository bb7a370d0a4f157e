import os
import stat

import pytest
from tests.ingest.log_batches import KeptLogs, make_logs

from swarmscope.app.settings import SettingsError, load_settings
from swarmscope.app.stages.redaction import KEY_FILE, open_redactor
from swarmscope.app.stages.writing import LogWritePath
from swarmscope.model.logs import Level


class _Counts:
    def active_total(self, tenant: str | None = None) -> int:
        return 0


class _Clock:
    def now_ns(self) -> int:
        return 0


def _settings(tmp_path, **flags):
    return load_settings({"data": str(tmp_path), **flags}, environ={})


def _problems(**redaction) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        load_settings({"redaction": redaction}, environ={})
    return {problem.path: str(problem) for problem in caught.value.problems}


def _write(settings, *lines: str, tenant: str = "default") -> tuple[list[str], list[int], dict[str, int]]:
    inner = KeptLogs()
    path = LogWritePath(settings, inner, _Counts(), open_redactor(settings), _Clock())
    receipt = path.entry("test").write_logs(make_logs(lines, tenant=tenant))
    return inner.lines(), inner.batches[0].level.tolist() if inner.batches else [], receipt.refused


def test_secrets_are_redacted_by_default_and_personal_data_is_not(tmp_path):
    lines, levels, _ = _write(_settings(tmp_path), "ERROR password=abc for a@b.example")
    assert lines == ["ERROR password=[REDACTED:password] for a@b.example"]
    assert levels == [Level.ERROR]
    assert not (tmp_path / KEY_FILE).exists()


def test_redaction_can_be_off(tmp_path):
    assert _write(_settings(tmp_path, redaction={"enabled": False}), "password=abc")[0] == ["password=abc"]


def test_actions_of_detectors_go_before_those_of_groups(tmp_path):
    redaction = {
        "detectors": ["personal", "password"],
        "without": ["phone"],
        "patterns": {"mine": "cust-[0-9]+"},
        "action": "mask",
        "actions": {"personal": "drop", "email": "hash", "user": "mask"},
    }
    settings = _settings(tmp_path, redaction=redaction)
    lines, _, _ = _write(settings, "cust-12 a@b.example", "+49 151 12345678", "4111111111111111", "password=x")
    assert lines[0].startswith("[REDACTED:mine] [REDACTED:email:")
    assert lines[1:] == ["+49 151 12345678", "password=[REDACTED:password]"]
    key = tmp_path / KEY_FILE
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert len(key.read_bytes()) == 32
    assert _write(settings, "cust-12 a@b.example")[0] == lines[:1]


def test_a_key_from_the_settings_needs_no_file(tmp_path):
    redaction = {"detectors": ["email"], "action": "hash", "hash_key": "0123456789abcdef"}
    first = _write(_settings(tmp_path, redaction=redaction), "a@b.example")[0]
    assert first == _write(_settings(tmp_path, redaction=redaction), "a@b.example")[0]
    assert first != _write(_settings(tmp_path, redaction=redaction | {"hash_key": "x" * 16}), "a@b.example")[0]
    assert not (tmp_path / KEY_FILE).exists()


def test_bad_settings_are_named():
    patterns = _problems(patterns={"mine": "(a", "good": "a"})
    assert "cannot be compiled for fast matching" in patterns["redaction.patterns.mine"]
    assert list(patterns) == ["redaction.patterns.mine"]
    assert list(_problems(patterns={"Not good": "a"})) == ["redaction.patterns.Not good"]
    assert "did you mean email" in _problems(detectors=["emial"])["redaction.detectors[0]"]
    assert "no such detector" in _problems(actions={"nothing": "mask"})["redaction.actions"]
    assert "short-one" not in _problems(hash_key="short-one")["redaction.hash_key"]


def test_a_tenant_has_limits_of_its_own(tmp_path):
    limits = {"logs": {"max_line_bytes": "2KiB"}, "tenants": {"team": {"logs": {"max_line_bytes": 3}}}}
    settings = _settings(tmp_path, limits=limits)
    assert _write(settings, "abcd")[2] == {}
    assert list(_write(settings, "abcd", tenant="team")[2].values()) == [1]
    assert settings.limits.for_tenant("team") == settings.limits.for_tenant("other")

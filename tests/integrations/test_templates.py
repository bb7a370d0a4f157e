"""Notification templates: data, functions, files. Expected values by Go's and Alertmanager's documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmscope.integrations.notification_templates import (
    BadTemplateError,
    default_templates,
    load_templates,
    template_data,
)
from swarmscope.lang.templates import TemplateFailedError
from swarmscope.model.alerts import Alert, Notification
from swarmscope.model.errors import QuerySyntaxError
from tests.integrations.sample_notifications import NOW_NS, notification, two_alerts


def text(template: str, what: Notification | None = None) -> str:
    shown = what or notification()
    return default_templates().text(template, template_data(shown), shown.now_ns)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ .Receiver }} {{ .Status }} {{ .ExternalURL }}", "team-x firing http://swarm.example"),
        ("{{ len .Alerts }} {{ .Alerts.Firing | len }} {{ .Alerts.Resolved | len }}", "2 2 0"),
        ("{{ range .Alerts }}{{ .Labels.agent }},{{ end }}", "planner,coder,"),
        ("{{ (index .Alerts 0).Annotations.summary }}", "a <b>"),
        ("{{ .CommonLabels.SortedPairs.Names | join \",\" }}", "alertname,severity"),
        ("{{ .CommonLabels.SortedPairs.Values | join \",\" }}", "AgentDown,critical"),
        ("{{ .CommonLabels.Names | join \" \" }}|{{ .CommonLabels.Values | join \" \" }}",
         "alertname severity|AgentDown critical"),
        ("{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
         "alertname=AgentDown;severity=critical;"),
        ("{{ .CommonLabels.Remove .GroupLabels.Names }}", "severity=critical"),
        ("{{ with .CommonLabels.Remove (stringSlice \"alertname\" \"severity\") }}some{{ else }}none{{ end }}", "none"),
        ("{{ .CommonLabels.nothing }}|{{ index .CommonLabels \"nothing\" }}|", "||"),
        ("{{ if .CommonLabels.nothing }}a{{ else }}b{{ end }}", "b"),
        ("{{ .GroupLabels.SortedPairs }}|{{ .CommonLabels }}",
         "alertname=AgentDown|alertname=AgentDown, severity=critical"),
        ("{{ (index .Alerts 0).StartsAt.Format \"2006-01-02 15:04:05\" }}", "2026-09-21 14:12:20"),
        ("{{ (index .Alerts 0).StartsAt.Unix }}", "1789999940"),
        ("{{ (index .Alerts 0).EndsAt.IsZero }}", "true"),
        ("{{ (index .Alerts 0).EndsAt }}", "0001-01-01 00:00:00 +0000 UTC"),
        ("{{ since (index .Alerts 0).StartsAt }}", "1m0s"),
        ("{{ (since (index .Alerts 0).StartsAt).Seconds }}", "60"),
        ("{{ since (index .Alerts 0).StartsAt | humanizeDuration }}", "1m 0s"),
        ("{{ (index .Alerts 0).StartsAt | tz \"Europe/Paris\" | date \"15:04 MST\" }}", "16:12 CEST"),
        ("{{ toUpper \"a\" }}{{ toLower \"B\" }}{{ title \"c d\" }}{{ trimSpace \"  e \" }}", "AbC De"),
        ("{{ match \"^a.c$\" \"abc\" }} {{ match \"^b\" \"abc\" }}", "true false"),
        ("{{ reReplaceAll \"(b)(c)\" \"$2$1\" \"abc\" }}", "acb"),
        ("{{ join \"-\" (stringSlice \"a\" \"b\") }}", "a-b"),
        ("{{ toJson .CommonLabels }}", '{"alertname":"AgentDown","severity":"critical"}'),
        ("{{ toJson (index .Alerts 0).StartsAt }}", '"2026-09-21T14:12:20Z"'),
        ("{{ toJson \"<&>\" }}", r'"\u003c\u0026\u003e"'),
        ("{{ (dict \"a\" 1).a }} {{ list 1 2 | len }} {{ append (list 1) 2 | len }}", "1 2 2"),
        ("{{ urlUnescape \"a%20b\" }}", "a b"),
        ("{{ define \"x\" }}<{{ . }}>{{ end }}{{ template \"x\" .Status }}", "<firing>"),
        ("{{ block \"y\" .Status }}[{{ . }}]{{ end }}", "[firing]"),
        ("{{ $a := .Alerts }}{{ $a.Firing | len }}", "2"),
        ("{{ humanizeDuration 90061 }} {{ humanizeDuration \"0.5\" }} {{ humanizeDuration 0 }}",
         "1d 1h 1m 1s 500ms 0s"),
        ("{{ with .Incident }}no{{ end }}", ""),
        ("no action", "no action"),
    ],
)  # fmt: skip
def test_values(template: str, expected: str) -> None:
    assert text(template) == expected


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ .Nothing }}", "can't evaluate field Nothing"),
        ("{{ (index .Alerts 0).Nothing }}", "can't evaluate field Nothing"),
        ("{{ .Status.Length }}", "can't evaluate field Length in type string"),
        ("{{ .CommonLabels.Remove 3 }}", r"wrong type for value; expected \[\]string"),
        ("{{ .CommonLabels.Remove }}", "wrong number of args for Remove"),
        ("{{ .CommonLabels.alertname 1 }}", "is not a method but has arguments"),
        ('{{ template "missing" . }}', "not defined"),
        ('{{ reReplaceAll "(" "" "" }}', "error parsing regexp"),
        ('{{ match "(?=a)" "" }}', "error parsing regexp"),
        ('{{ tz "No/Where" (index .Alerts 0).StartsAt }}', "unknown time zone"),
        ('{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}', "maximum template depth"),
        ("{{ range 100000 }}{{ range 100000 }}x{{ end }}{{ end }}", "more than 100000 steps|longer than"),
    ],
)
def test_failures(template: str, told: str) -> None:
    with pytest.raises(TemplateFailedError, match=told):
        text(template)


def test_syntax_errors() -> None:
    with pytest.raises(QuerySyntaxError, match='function "nothing" not defined'):
        text("{{ nothing }}")


def test_incident_is_in_the_default_texts() -> None:
    what = notification(incident={"summary": "Likely cause: planner"})
    for name in ("slack.default.text", "opsgenie.default.description", "email.default.html", "email.default.text"):
        assert "Likely cause: planner" in text(f'{{{{ template "{name}" . }}}}', what)


def test_html_is_escaped_by_place() -> None:
    evil = Alert(
        {"alertname": "<script>alert(1)</script>"}, {"link": "javascript:alert(1)", "mark": "<i>"}, NOW_NS - 1,
        NOW_NS + 1, NOW_NS, generator_url='http://x/" onload="y',
    )  # fmt: skip
    data = template_data(notification((evil,)))
    templates = default_templates()

    def html(template: str) -> str:
        return templates.html(template, data, NOW_NS)

    assert html("<p>{{ .CommonLabels.alertname }}</p>") == "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"
    assert html('<a href="{{ .CommonAnnotations.link }}">') == '<a href="#ZgotmplZ">'
    assert html('<a href="{{ (index .Alerts 0).GeneratorURL }}">') == '<a href="http://x/%22%20onload=%22y">'
    assert html('<a href="/x?y={{ .CommonAnnotations.mark }}">') == '<a href="/x?y=%3Ci%3E">'
    assert html('<i title="{{ .CommonAnnotations.mark }}">') == '<i title="&lt;i&gt;">'
    assert html("<script>{{ .CommonAnnotations.mark }}</script>") == "<script>ZgotmplZ</script>"
    assert html("{{ .CommonAnnotations.mark | safeHtml }}") == "<i>"
    page = html('{{ template "email.default.html" . }}')
    assert "<script>" not in page
    assert "onload=&#34;" not in page
    assert 'onload="' not in page


def test_files(tmp_path: Path) -> None:
    (tmp_path / "a.tmpl").write_text('{{ define "slack.default.title" }}mine: {{ .Status }}{{ end }}')
    (tmp_path / "b.tmpl").write_text('{{ define "mine" }}{{ template "slack.default.title" . }}!{{ end }}')
    (tmp_path / "c.tmpl").write_text('{{ define "mine" }} {{ end }}plain')
    templates = load_templates(["*.tmpl"], tmp_path)
    data = template_data(notification())
    assert templates.text('{{ template "mine" . }}', data, NOW_NS) == "mine: firing!"
    assert templates.text('{{ template "c.tmpl" . }}', data, NOW_NS) == "plain"
    assert templates.text('{{ template "email.default.subject" . }}', data, NOW_NS) == "[FIRING:2] AgentDown (critical)"
    assert load_templates(["none-*.tmpl"], tmp_path) is not None


def test_broken_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.tmpl").write_text("ok\n\n{{ define }}")
    with pytest.raises(BadTemplateError, match=r"a\.tmpl:3: "):
        load_templates(["a.tmpl"], tmp_path)
    (tmp_path / "a.tmpl").write_bytes(b"\xff")
    with pytest.raises(BadTemplateError, match=r"a\.tmpl: "):
        load_templates(["a.tmpl"], tmp_path)


@pytest.mark.parametrize("resolved", [False, True])
def test_all_default_templates_run(resolved: bool) -> None:
    what = notification(two_alerts(resolved=resolved))
    for name in default_templates()._definitions:
        where = ".Alerts" if "list" in name or "alerts" in name or "instances" in name else "."
        assert "<no value>" not in text(f'{{{{ template "{name}" {where} }}}}', what)

"""Templates of labels and annotations, by Prometheus' template reference."""

from __future__ import annotations

import pytest

from swarmscope.alerting.rules.rule_templates import TemplateContext, expand, expand_or_tell

CONTEXT = TemplateContext(
    query=lambda expr: [{"Labels": {"job": name, "__value__": name}, "Value": value} for name, value in
                        (("b", 2.0), ("a", 1.5))] if expr == "up" else [],
    external_url="http://swarm:4600/x",
    external_labels={"dc": "eu"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain { text }", "plain { text }"),
        ("{{ $labels.job }}{{ .Labels.absent }}|{{ $value }}", "api|0.25"),
        ("{{ $externalLabels.dc }} {{ $externalURL }} {{ externalURL }} {{ pathPrefix }}",
         "eu http://swarm:4600/x http://swarm:4600/x /x"),
        ("{{ $value | humanizePercentage }}", "25%"),
        ("{{ humanize 1234567.0 }} {{ humanize 0.00012 }} {{ humanize -999.0 }} {{ humanize 0.0 }}",
         "1.235M 120u -999 0"),
        ("{{ humanize1024 1048576.0 }} {{ humanize1024 1.0 }}", "1Mi 1"),
        ("{{ humanizeDuration 0.0 }} {{ humanizeDuration 59.5 }} {{ humanizeDuration 3661.0 }} "
         "{{ humanizeDuration 90061.0 }} {{ humanizeDuration 0.02 }} {{ humanizeDuration -65.0 }}",
         "0s 59.5s 1h 1m 1s 1d 1h 1m 1s 20ms -1m 5s"),
        ("{{ humanizeTimestamp 1435065584.128 }}", "2015-06-23 13:19:44.128 +0000 UTC"),
        ("{{ range query \"up\" }}{{ .Labels.job }}={{ .Value }} {{ end }}", "b=2 a=1.5 "),
        ("{{ with query \"up\" }}{{ . | first | value }}{{ end }}", "2"),
        ("{{ range (query \"up\" | sortByLabel \"job\") }}{{ label \"job\" . }}{{ end }}", "ab"),
        ("{{ query \"up\" | first | strvalue }}", "b"),
        ("{{ if query \"none\" }}x{{ else }}none{{ end }}", "none"),
        ("{{ printf \"%.2f %s\" $value $labels.job }}", "0.25 api"),
        ("{{ title \"hello world\" }} {{ toUpper \"a\" }} {{ toLower \"B\" }}", "Hello World A b"),
        ("{{ reReplaceAll \"(a)(.)\" \"$2${1}\" \"abac\" }} {{ match \"^a.c$\" \"abc\" }}", "baca true"),
        ("{{ stripPort \"host.dom:90\" }} {{ stripDomain \"host.dom:90\" }} {{ stripDomain \"10.0.0.1:9\" }} "
         "{{ stripPort \"[::1]:90\" }}", "host.dom host:90 10.0.0.1:9 ::1"),
        ("{{ graphLink \"up == 1\" }} {{ tableLink \"up\" }}",
         "/graph?g0.expr=up+%3D%3D+1&g0.tab=0 /graph?g0.expr=up&g0.tab=1"),
        ("{{ parseDuration \"1h30m\" }}", "5400"),
        ("{{ define \"a\" }}<{{ .arg0 }}>{{ end }}{{ template \"a\" (args 5) }}", "<5>"),
    ],
)  # fmt: skip
def test_templates(template: str, text: str):
    assert expand(template, {"job": "api"}, 0.25, CONTEXT) == text


def test_an_error_stands_in_the_text_and_is_told():
    text, error = expand_or_tell('{{ first (query "none") }}', {}, 1.0, CONTEXT)
    assert text.startswith("<error expanding template: ")
    assert "first() called on vector with no elements" in error
    assert expand_or_tell('{{ humanize "x" }}', {}, 1.0, CONTEXT)[1].endswith("'x' is no number")


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ('{{ $x := "aaaaaaaaaa" }}' + '{{ $x = printf "%s%s%s%s" $x $x $x $x }}' * 20, "printf is given more than"),
        ('{{ reReplaceAll "" (printf "%1000s" "a") (printf "%10000s" "a") }}', "more than 4194304 characters"),
        ('{{ printf "' + "%[1]9999d" * 3000 + '" 1 }}', "more than 4194304 characters"),
        ('{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', "maximum template depth"),
        ('{{ range query "up" }}' * 20 + "x" + "{{ end }}" * 20, "more than 100000 steps"),
        ("{{ toTime 1e300 }}", "is no time"),
        ('{{ match "(" "a" }}', "missing )"),
        ("{{ $labels.job.more }}", "can't evaluate field more"),
    ],
)
def test_what_is_too_much_or_wrong_ends_soon(template: str, error: str):
    assert error in expand_or_tell(template, {"job": "api"}, 1.0, CONTEXT)[1]

"""Templates of labels and annotations: what ours expand to is what promtool expects."""

from __future__ import annotations

from pathlib import Path

import yaml

from swarmscope.alerting.rules.rule_files import load_file
from swarmscope.alerting.rules.simulation import SimulatedRules
from swarmscope.alerting.rules.unit_test_model import SeriesModel, UnitTest
from tests.alerting.rules.promtool import ask_promtool, needs_promtool

TEMPLATES = [
    "{{ $value }} {{ .Value }} {{ $labels.job }} {{ .Labels.job }} {{ $labels.none }}|",
    "{{ $labels }} {{ $externalLabels.dc }} {{ $externalURL }}",
    '{{ printf "%.3f|%8.2f|%e|%g|%v|%s|%q|%x|%5d" $value $value $value $value $value "a" "b" "c" 7 }}',
    "{{ humanize $value }} {{ humanize 1234567.0 }} {{ humanize 0.00012 }} {{ humanize -999.0 }} {{ humanize 0.0 }}",
    "{{ humanize 1e30 }} {{ humanize 1e-30 }} {{ humanize 999.99999 }} {{ humanize 123456 }}",
    "{{ humanize1024 1048576.0 }} {{ humanize1024 1.0 }} {{ humanize1024 0.5 }} {{ humanize1024 1e30 }}",
    "{{ humanizeDuration 0.0 }} {{ humanizeDuration 59.5 }} {{ humanizeDuration 3661.0 }} {{ humanizeDuration 0.02 }}",
    "{{ humanizeDuration 90061.0 }} {{ humanizeDuration -65.0 }} {{ humanizeDuration 1e-7 }} {{ humanizeDuration 60 }}",
    "{{ humanizePercentage 0.12345 }} {{ humanizePercentage 1.0 }} {{ $value | humanizePercentage }}",
    "{{ humanizeTimestamp 1435065584.128 }} {{ 0.0 | humanizeTimestamp }} {{ toTime 1435065584.128 }}",
    '{{ (toTime 1435065584.0).Format "2006-01-02" }} {{ (1435065584.0 | toTime).Year }}',
    '{{ range query "sort(temp)" }}{{ .Labels.job }}={{ .Value }} {{ end }}',
    '{{ range query "temp" | sortByLabel "zone" }}{{ label "zone" . }}:{{ value . }} {{ end }}',
    '{{ with query "temp{zone=\\"y\\"}" }}{{ . | first | value | printf "%.1f" }}{{ end }}',
    '{{ with printf "sum(temp{job=%q})" $labels.job | query }}{{ . | first | value }}{{ end }}',
    '{{ if query "none" }}some{{ else }}none{{ end }} {{ len (query "temp") }}',
    '{{ range $i, $e := query "sort_desc(temp)" }}{{ $i }}={{ $e.Labels.zone }},{{ end }}',
    "{{ range $name, $text := $labels }}{{ $name }}={{ $text }};{{ end }}",
    '{{ title "hello big world" }} {{ toUpper "aBc" }} {{ toLower "ABc" }} {{ "x" | toUpper | printf "<%s>" }}',
    '{{ reReplaceAll "(a)(.)" "$2${1}" "abac" }} {{ match "^a.c$" "abc" }} {{ match "b" "ac" }}',
    '{{ stripPort "h.d:90" }} {{ stripDomain "h.d:90" }} {{ stripDomain "10.0.0.1:9" }} {{ stripPort "[::1]:90" }}',
    '{{ stripPort "a" }} {{ stripDomain "a.b.c" }} {{ stripDomain "[::1]:90" }} {{ stripPort "::1" }}',
    '{{ graphLink "up == 1" }} {{ tableLink "up{a=\\"b\\"}" }}',
    '{{ parseDuration "1h30m" }} {{ parseDuration "5m" | humanizeDuration }}',
    '{{ define "a" }}<{{ .arg0 }}{{ .arg1 }}>{{ end }}{{ template "a" (args 5 "x") }}',
    '{{ if eq $labels.job "api" }}is{{ end }} {{ if gt $value 1.0 }}more{{ else }}less{{ end }}',
    "{{ if and true (not false) }}y{{ end }}",
    '{{ $x := "a" }}{{ if true }}{{ $x = "b" }}{{ end }}{{ $x }} {{ len "abc" }}',
    '{{ index $labels "job" }} {{ print 1 2 "a" }}',
    "a {{- /* nothing */ -}} b {{ 1.5e3 }} {{ 0x10 }} {{ 'a' }} {{ `raw` }} {{ true }} {{ printf \"%v\" nil }}",
    '{{ html "<a&b>" }} {{ urlquery "a b&c" }} {{ js "it\'s" }} {{ safeHtml "<b>" }} {{ slice "abcdef" 1 3 }}',
    '<&">\' {{ "<&>" }}',
    '{{ range $i := query "sort(temp)" }}{{ if eq $i.Labels.zone "x" }}{{ continue }}{{ end }}{{ .Value }}{{ end }}',
    "{{ with $labels.none }}some{{ else }}none{{ end }} {{ $labels.none | len }} {{ println $value }}",
    '{{ le 1 2 }} {{ ne "a" "b" }} {{ or "" "x" }} {{ eq 1 2 1 }}',
]


@needs_promtool
def test_promtool_expands_the_same(tmp_path: Path):
    annotations = {f"a{at}": text for at, text in enumerate(TEMPLATES)}
    labels = {"l0": TEMPLATES[0], "l3": TEMPLATES[3]}
    rule = {"alert": "A", "expr": "temp > 3", "labels": labels, "annotations": annotations}
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}), "utf-8")
    series = [
        {"series": 'temp{job="api",zone="x"}', "values": "1.5"},
        {"series": 'temp{job="db",zone="y"}', "values": "3.25"},
    ]
    outside = {"external_labels": {"dc": "eu"}, "external_url": "http://prom:9090/x"}
    simulated = SimulatedRules(
        load_file(rules), UnitTest(input_series=[SeriesModel(**one) for one in series], **outside), 60_000
    )
    assert simulated.evaluate(0) == []
    (alert,) = simulated.evaluations[0].alerts.active
    failed = {name: text for name, text in alert.annotations.items() if "<error expanding" in text}
    assert failed == {}
    expected = {name: text for name, text in alert.labels.items() if name != "alertname"}
    alert_test = {
        "eval_time": "0s", "alertname": "A",
        "exp_alerts": [{"exp_labels": expected, "exp_annotations": dict(alert.annotations)}],
    }  # fmt: skip
    tests = tmp_path / "tests.yml"
    told = {
        "rule_files": ["rules.yml"],
        "tests": [{"input_series": series, **outside, "alert_rule_test": [alert_test]}],
    }
    tests.write_text(yaml.safe_dump(told), "utf-8")
    answer = ask_promtool(("test", "rules"), {"tests": tests})["tests"]
    assert "SUCCESS" in answer, answer

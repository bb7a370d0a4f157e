import pytest

from swarmscope.lang.logql import parse_log_query
from swarmscope.query.logql.demand import Demand, demand_before, template_demand
from swarmscope.query.logql.pipeline import Pipeline

NOTHING = Demand(frozenset(), line=False)


@pytest.mark.parametrize(
    ("template", "labels", "line"),
    [
        ("plain", set(), False),
        ("{{.a}} {{.b}}", {"a", "b"}, False),
        ("{{__line__}}", set(), True),
        ("{{ .a | replace .b `x` }}", {"a", "b"}, False),
        ("{{ if .a }}{{ .b }}{{ else }}{{ (printf .c) }}{{ end }}", {"a", "b", "c"}, False),
        ("{{ with .a }}{{ $.b }}{{ end }}", {"a", "b"}, False),
        ("{{ $x := .a }}{{ $x }}", {"a"}, False),
        ("{{ range $k, $v := . }}{{ $k }}{{ end }}", None, False),
        ("{{ $ }}", None, False),
        ('{{ define "t" }}{{ .inner }}{{ end }}{{ template "t" . }}', None, False),
    ],
)
def test_what_templates_read(template, labels, line):
    assert template_demand(template) == (None if labels is None else frozenset(labels), line)


@pytest.mark.parametrize(
    ("stages", "labels", "line"),
    [
        ("", set(), False),
        ('|= "x"', set(), True),
        ("| json", set(), False),  # nobody wants what it finds
        ('| json | a="1"', {"a"}, True),
        ("| logfmt | a > 1 or (b > 1s and c > 1KB)", {"a", "b", "c"}, True),
        ('| a=ip("10.0.0.1")', {"a"}, False),
        ('| label_format x=a, y="{{.b}}" | x="1"', {"x", "a", "b"}, False),
        ('| drop a="1", b | keep c="2", d', {"a", "c"}, False),
        ('| line_format "{{.a}}"', {"a"}, False),
        ('| line_format "{{.a}}" |= "x"', {"a"}, False),
        ('| line_format "{{.a | ToUpper}}" |= "x"', {"a"}, True),  # where it fails the line stays
        ("| decolorize", set(), False),
    ],
)
def test_what_stages_need_before_them(stages, labels, line):
    demand = NOTHING
    for stage in reversed(parse_log_query(f'{{app="x"}} {stages}').stages):
        demand = demand_before(stage, demand)
    assert demand == Demand(frozenset(labels), line)


def test_everything_stays_everything():
    tree = parse_log_query('{app="x"} | json | a="1" | drop b="2"')
    assert Pipeline.compile(tree).demand == Demand(None, line=True)

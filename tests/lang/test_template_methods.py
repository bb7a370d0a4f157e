"""Methods of values in templates, and lengths of time. Expected values: what Go's time package documents."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from swarmscope.lang.templates import (
    Record,
    SafeText,
    TemplateFailedError,
    TemplateFunction,
    WithMethods,
    parse_template,
    run_template,
)
from swarmscope.lang.templates.builtins import BUILTINS
from swarmscope.lang.templates.functions import Kind
from swarmscope.lang.templates.go_durations import Duration
from swarmscope.lang.templates.moments import Moment

NS = 1_000_000_000


class Pair(WithMethods):
    def __init__(self, a: int, b: int) -> None:
        self.a, self.b = a, b

    def template_methods(self) -> Mapping[str, TemplateFunction]:
        return {
            "Sum": TemplateFunction(lambda pair: pair.a + pair.b, (Kind.ANY,)),
            "Plus": TemplateFunction(lambda pair, n: Pair(pair.a + n, pair.b), (Kind.ANY, Kind.INTEGER)),
            "String": TemplateFunction(lambda pair: f"{pair.a}/{pair.b}", (Kind.ANY,)),
        }


def run(text: str, **data: object) -> str:
    return run_template(parse_template(text, frozenset(BUILTINS)), Record(data))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ .p.Sum }}", "3"),
        ("{{ (.p.Plus 4).Sum }}", "7"),
        ("{{ 4 | .p.Plus }}", "5/2"),
        ("{{ $x := .p }}{{ $x.Plus 1 }}", "2/2"),
        ('{{ (.p).Sum | printf "%03d" }}', "003"),
        ("{{ .m.Year }} {{ .m.Month }} {{ .m.Weekday }} {{ .m.Unix }}", "2026 September Monday 1790000000"),
        ('{{ .m.Format "15:04" }} {{ .m.UTC.Format "Jan 2" }}', "14:13 Sep 21"),
        ("{{ (.m.Add .d).Sub .m }} {{ .m.Before (.m.Add 1) }} {{ .m.IsZero }}", "1h30m0s true false"),
        ("{{ .d.Hours }} {{ .d.Minutes }} {{ .d.String }} {{ .d.Round 3600000000000 }}", "1.5 90 1h30m0s 2h0m0s"),
        ("{{ if .zero }}a{{ else }}b{{ end }}", "b"),
    ],
)
def test_methods(template: str, expected: str) -> None:
    data = {"p": Pair(1, 2), "m": Moment(1_790_000_000 * NS), "d": Duration(5400 * NS), "zero": Duration(0)}
    assert run(template, **data) == expected


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300 * 1_000_000, "3.3s"),
        (4 * 60 * NS + 5 * NS, "4m5s"),
        (4 * 60 * NS + 5 * NS + 1_000_000, "4m5.001s"),
        (5 * 3600 * NS + 6 * 60 * NS + 7 * NS + 1_000_000, "5h6m7.001s"),
        (8 * 60 * NS + 1, "8m0.000000001s"),
        (-90 * NS, "-1m30s"),
    ],
)
def test_lengths_of_time(ns: int, text: str) -> None:
    assert str(Duration(ns)) == text


def test_failures() -> None:
    with pytest.raises(TemplateFailedError, match="can't evaluate field Other"):
        run("{{ .Other }}", p=1)
    with pytest.raises(TemplateFailedError, match="wrong number of args for Plus: want 2 got 1"):
        run("{{ .p.Plus }}", p=Pair(1, 2))
    with pytest.raises(TemplateFailedError, match="can't evaluate field Minus"):
        run("{{ .p.Minus }}", p=Pair(1, 2))


def test_escaping_leaves_safe_text_alone() -> None:
    template = parse_template("<{{ .a }}{{ .b }}>", frozenset(BUILTINS))
    shown = run_template(
        template, Record(a="&", b=SafeText("&")), escape=lambda text, before: f"[{text} after {''.join(before)}]"
    )
    assert shown == "<[& after <]&>"

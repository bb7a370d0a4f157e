"""Files of unit tests of rules, as promtool reads them.

Source: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
"""

from __future__ import annotations

import re
from glob import glob
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from swarmscope.alerting.placed_yaml import BadFileError, FileProblem, PlacedYaml, StrictModel, checked, read_yaml
from swarmscope.alerting.placed_yaml import Path as KeyPath
from swarmscope.alerting.rules.rule_model import Milliseconds

DEFAULT_INTERVAL_MS = 60_000
# YAML's numbers: `NaN` and `Inf` are texts, `.nan` and `.inf` are numbers.
_NUMBER = re.compile(r"[-+]?(?:(?:\d[\d_]*)?\.?\d[\d_]*(?:\.)?(?:[eE][-+]?\d+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)")


def _to_number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not _NUMBER.fullmatch(value):
        raise ValueError(f"{value!r} is not a number of YAML")
    return float(value.replace("_", "").replace(".inf", "inf").replace(".nan", "nan").replace(".Inf", "inf").lower())


Texts = dict[str, str]
Number = Annotated[float, BeforeValidator(_to_number)]
_TRUTHS = {"true": True, "false": False}
Truth = Annotated[bool, BeforeValidator(lambda value: _TRUTHS.get(value, value))]


class SeriesModel(StrictModel):
    """One series that goes in."""

    series: str = ""
    values: str = ""


class ExpectedAlert(StrictModel):
    """One alert that should fire."""

    exp_labels: Texts = Field(default_factory=dict)
    exp_annotations: Texts = Field(default_factory=dict)


class AlertTest(StrictModel):
    """All alerts of a name that should fire at a time."""

    eval_time: Milliseconds = 0
    alertname: str = ""
    exp_alerts: list[ExpectedAlert] = Field(default_factory=list)


class ExpectedSample(StrictModel):
    """One row that a query should give."""

    labels: str = ""
    value: Number = 0.0
    histogram: str = ""


class ExpressionTest(StrictModel):
    """What a query should give at a time."""

    expr: str = ""
    eval_time: Milliseconds = 0
    exp_samples: list[ExpectedSample] = Field(default_factory=list)


class UnitTest(StrictModel):
    """Series, and what is expected of the rules over them."""

    name: str = ""
    interval: Milliseconds = 0
    input_series: list[SeriesModel] = Field(default_factory=list)
    alert_rule_test: list[AlertTest] = Field(default_factory=list)
    promql_expr_test: list[ExpressionTest] = Field(default_factory=list)
    external_labels: Texts = Field(default_factory=dict)
    external_url: str = ""

    @property
    def end_ms(self) -> int:
        """The last time that anything is expected at."""
        times = [each.eval_time for each in self.alert_rule_test] + [each.eval_time for each in self.promql_expr_test]
        return max(times, default=0)


class UnitTestFile(StrictModel):
    """One file."""

    rule_files: list[str] = Field(default_factory=list)
    evaluation_interval: Milliseconds = 0
    group_eval_order: list[str] = Field(default_factory=list)
    fuzzy_compare: Truth = False
    tests: list[UnitTest] = Field(default_factory=list)


def load_unit_tests(path: Path) -> UnitTestFile:
    """One file of tests. Raises BadFileError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not UTF-8: {error}"
        raise BadFileError([FileProblem(str(path), 0, 0, str(reason))]) from error
    placed = read_yaml(text, str(path))
    if placed.value is not None and not isinstance(placed.value, dict):
        raise BadFileError([placed.problem((), "a file of unit tests is a mapping")])
    file = checked(UnitTestFile, placed)
    _refuse_repeated(file, placed)
    return file


def _refuse_repeated(file: UnitTestFile, placed: PlacedYaml) -> None:
    for at, name in enumerate(file.group_eval_order):
        if name in file.group_eval_order[:at]:
            place: KeyPath = ("group_eval_order", at)
            raise BadFileError([placed.problem(place, f"group name repeated in evaluation order: {name}")])


def rule_paths(file: UnitTestFile, folder: Path) -> tuple[list[str], list[str]]:
    """Files that the patterns of `rule_files` mean, and the patterns that mean none."""
    found: list[str] = []
    lost: list[str] = []
    for pattern in file.rule_files:
        paths = sorted(glob(str(folder / pattern)))
        found += paths
        if not paths:
            lost.append(str(folder / pattern))
    return found, lost

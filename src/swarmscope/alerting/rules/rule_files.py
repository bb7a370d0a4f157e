"""Rule files: from folders, patterns and files to groups; what is wrong is told with its place.

Source: https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from glob import glob, has_magic
from pathlib import Path

from swarmscope.alerting.placed_yaml import BadFileError, FileProblem, PlacedYaml, checked, read_yaml
from swarmscope.alerting.placed_yaml import Path as KeyPath
from swarmscope.alerting.rules.rule_model import CompositeModel, FileModel, GroupModel, RuleModel
from swarmscope.alerting.rules.rule_templates import check_template
from swarmscope.alerting.rules.rules import (
    AlertingRule,
    Composite,
    LoadedRules,
    Place,
    RecordingRule,
    Rule,
    RuleGroup,
    RuleKind,
)
from swarmscope.lang.logql import parse_metric_query
from swarmscope.lang.promql import parse_promql, parse_selector
from swarmscope.lang.traceql import parse_traceql
from swarmscope.model.alerts import ALERT_NAME
from swarmscope.model.errors import QueryFailedError, SwarmscopeError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher

SUFFIXES = (".yml", ".yaml", ".rules", ".json")
_MAX_FILE_BYTES = 32 << 20


def load_rules(paths: Iterable[str | Path]) -> LoadedRules:
    """Read all files of files, folders (theirs only, not those of folders within) and patterns.

    A file that is wrong is left out, and told in `problems`.
    """
    groups: list[RuleGroup] = []
    doubtful: list[RuleGroup] = []
    problems: list[FileProblem] = []
    files: list[str] = []
    for path in paths:
        found = rule_file_names(str(path))
        if not found and not has_magic(str(path)):
            problems.append(FileProblem(str(path), 0, 0, "there is no such file or folder"))
        for file in found:
            if file in files:
                continue
            files.append(file)
            try:
                found_groups, wrong = _read(Path(file))
            except BadFileError as error:
                problems += error.problems
                continue
            problems += wrong
            (doubtful if wrong else groups).extend(found_groups)
    return LoadedRules(tuple(groups), tuple(problems), tuple(files), tuple(doubtful))


def rule_file_names(path: str) -> list[str]:
    """Files that a path means: itself, those of a folder, or what fits a pattern; sorted."""
    if Path(path).is_dir():
        return sorted(str(each) for each in Path(path).iterdir() if each.suffix in SUFFIXES and each.is_file())
    if Path(path).is_file():
        return [path]
    return sorted(each for each in glob(path, recursive=True) if Path(each).is_file()) if has_magic(path) else []


def load_file(path: Path) -> list[RuleGroup]:
    """The groups of one file. Raises BadFileError with all that is wrong in it."""
    groups, problems = _read(path)
    if problems:
        raise BadFileError(problems)
    return groups


def parse_rules(text: str, file: str) -> list[RuleGroup]:
    """The groups of a file's text. Raises BadFileError with all that is wrong in it."""
    groups, problems = _parse(text, file)
    if problems:
        raise BadFileError(problems)
    return groups


def _read(path: Path) -> tuple[list[RuleGroup], list[FileProblem]]:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise BadFileError([FileProblem(str(path), 0, 0, f"more than {_MAX_FILE_BYTES >> 20} MiB")])
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not UTF-8: {error}"
        raise BadFileError([FileProblem(str(path), 0, 0, str(reason))]) from error
    return _parse(text, str(path))


def _parse(text: str, file: str) -> tuple[list[RuleGroup], list[FileProblem]]:
    """Groups, and what is wrong with single rules of them. Raises BadFileError where the file as a whole is wrong."""
    placed = read_yaml(text, file)
    if placed.value is not None and not isinstance(placed.value, dict):
        raise BadFileError([placed.problem((), "a rule file is a mapping with the key groups")])
    model = checked(FileModel, placed, lambda path: _told(placed, path))
    problems: list[FileProblem] = []
    groups: list[RuleGroup] = []
    names: set[str] = set()
    for at, group in enumerate(model.groups):
        if group.name in names:
            message = f"group {group.name!r} is repeated in the same file"
            raise BadFileError([*problems, placed.problem(("groups", at, "name"), message)])
        names.add(group.name)
        rules = [_to_rule(placed, ("groups", at, "rules", number), group, rule, problems) for number, rule in
                 enumerate(group.rules)]  # fmt: skip
        place = _place(placed, ("groups", at))
        groups.append(RuleGroup(group.name, file, group.interval, group.limit, group.query_offset, tuple(rules), place))
    return groups, problems


def _told(placed: PlacedYaml, path: KeyPath) -> str:
    """`group 'a', rule 2 ('b'): `, from what stands around a problem."""
    value, told = placed.value, []
    for depth, part in enumerate(path):
        if not isinstance(value, dict | list) or (isinstance(part, str) and isinstance(value, list)):
            break
        try:
            value = value[part]  # type: ignore[index]
        except (KeyError, IndexError):
            break
        if not isinstance(value, dict):
            continue
        if depth and path[depth - 1] == "groups":
            told.append(f"group {value.get('name', '')!r}")
        elif depth and path[depth - 1] == "rules":
            told.append(f"rule {int(part) + 1} ({value.get('alert') or value.get('record') or ''!r})")
    return ", ".join(told) + ": " if told else ""


def _place(placed: PlacedYaml, path: KeyPath) -> Place:
    return Place(placed.file, *placed.places.get(path, (0, 0)))


def _to_rule(
    placed: PlacedYaml, path: KeyPath, group: GroupModel, model: RuleModel, problems: list[FileProblem]
) -> Rule:
    def wrong(key: tuple[str, ...], message: str) -> None:
        problems.append(placed.problem((*path, *key), _told(placed, path) + message))

    kind, place = model.kind or group.kind, _place(placed, path)
    labels = {**group.labels, **model.labels}
    if model.expr:
        try:
            check_expression(model.expr, kind)
        except SwarmscopeError as error:
            wrong(("expr",), f"could not parse expression: {error}")
    if model.record:
        return RecordingRule(model.record, model.expr or "", labels, kind, place)
    for key, texts in (("labels", model.labels), ("annotations", model.annotations)):
        for name, text in texts.items():
            try:
                check_template(text)
            except SwarmscopeError as error:
                wrong((key, name), f"{key.removesuffix('s')} {name!r}: {error}")
    composite = None
    if model.composite is not None:
        try:
            composite = _to_composite(model.composite)
        except SwarmscopeError as error:
            wrong(("composite",), str(error))
    return AlertingRule(
        name=model.alert or "", expr=model.expr or "", labels=labels, annotations=model.annotations, kind=kind,
        for_ms=model.for_, keep_firing_for_ms=model.keep_firing_for, cooldown_ms=model.cooldown,
        runbook=model.runbook, composite=composite, place=place,
    )  # fmt: skip


def check_expression(expr: str, kind: RuleKind) -> None:
    """Raise one of the query errors where an expression is none of its language, or gives no numbers."""
    match kind:
        case RuleKind.PROMQL:
            parse_promql(expr)
        case RuleKind.LOGQL:
            parse_metric_query(expr)
        case RuleKind.TRACEQL:
            if parse_traceql(expr).metrics is None:
                raise QueryFailedError("a rule needs numbers: end the query with a metrics function such as rate()")


def _to_composite(model: CompositeModel) -> Composite:
    parts = tuple(tuple(_alert_matchers(text)) for text in model.alerts)
    return Composite(model.operator, parts, model.at_least, model.within, tuple(model.on))


def _alert_matchers(text: str) -> Sequence[Matcher]:
    """`name{label="value"}` or `{…}`: the name is that of the alert."""
    selector = parse_selector(text)
    return [
        Matcher(ALERT_NAME if matcher.name == METRIC_NAME else matcher.name, matcher.operator, matcher.value)
        for matcher in selector.matchers
    ]

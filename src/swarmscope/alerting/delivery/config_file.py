"""A configuration file, read and checked: every problem with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from swarmscope.alerting.delivery.config import DeliveryConfig, InhibitRule
from swarmscope.alerting.delivery.config_model import (
    SENT,
    SILENT_ON_RESOLVE,
    UNSENT,
    FileModel,
    InhibitRuleModel,
    NamedIntervalsModel,
    RouteModel,
    TimeIntervalModel,
)
from swarmscope.alerting.delivery.global_settings import KNOWN, filled
from swarmscope.alerting.delivery.routing import ALL_LABELS, Route, RouteOptions, route_key
from swarmscope.alerting.delivery.time_intervals import (
    TimeInterval,
    day_of_month_span,
    minute_span,
    month_span,
    weekday_span,
    year_span,
    zone_of,
)
from swarmscope.alerting.placed_yaml import BadFileError, FileProblem, PlacedYaml, checked, read_yaml
from swarmscope.alerting.placed_yaml import Path as KeyPath
from swarmscope.lang.matchers import parse_matchers, value_test
from swarmscope.model.alerts import IntegrationConfig
from swarmscope.model.durations import parse_duration_ms
from swarmscope.model.errors import SwarmscopeError
from swarmscope.model.matchers import Matcher, MatchOperator

_TRUE, _FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})


def load_config(path: Path) -> DeliveryConfig:
    """Read a file. Raises BadFileError with all that is wrong."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not UTF-8: {error}"
        raise BadFileError([FileProblem(str(path), 0, 0, str(reason))]) from error
    return parse_config(text, str(path), str(path.parent))


def parse_config(text: str, file: str, folder: str = ".") -> DeliveryConfig:
    """A configuration out of its text. Raises BadFileError with all that is wrong."""
    placed = read_yaml(text, file)
    if not isinstance(placed.value, dict):
        raise BadFileError([placed.problem((), "no route provided in config")])
    return _Check(placed, checked(FileModel, placed), folder).config(text)


class _Check:
    """Looks at everything, so that all problems are told at once."""

    def __init__(self, placed: PlacedYaml, model: FileModel, folder: str) -> None:
        self._placed, self._model, self._folder = placed, model, folder
        self._problems: list[FileProblem] = []
        self._warnings: list[str] = []

    def _wrong(self, path: KeyPath, message: str) -> None:
        self._problems.append(self._placed.problem(path, message))

    def config(self, text: str) -> DeliveryConfig:
        model = self._model
        for key in model.global_ or {}:
            if key not in KNOWN:
                self._wrong(("global", key), f"global: field {key} is not known")
        integrations = list(self._integrations())
        intervals = self._intervals()
        route = self._root(intervals)
        rules = [self._inhibit_rule(("inhibit_rules", at), rule) for at, rule in enumerate(model.inhibit_rules)]
        known = {receiver.get("name") for receiver in model.receivers}
        resolve_timeout_ms = 300_000
        try:
            resolve_timeout_ms = parse_duration_ms(str((model.global_ or {}).get("resolve_timeout", "5m")))
        except ValueError as error:
            self._wrong(("global", "resolve_timeout"), f"resolve_timeout: {error}")
        if self._problems:
            raise BadFileError(self._problems)
        return DeliveryConfig(
            route, tuple(str(name) for name in known if name), tuple(integrations), tuple(rules), intervals,
            tuple(model.templates), resolve_timeout_ms, text, self._folder, tuple(self._warnings),
        )  # fmt: skip

    # Receivers

    def _integrations(self) -> Iterator[IntegrationConfig]:
        names: set[str] = set()
        for number, receiver in enumerate(self._model.receivers):
            path: KeyPath = ("receivers", number)
            name = receiver.get("name")
            if not isinstance(name, str) or not name:
                self._wrong(path, "missing name in receiver")
                continue
            if name in names:
                self._wrong((*path, "name"), f"notification config name {name!r} is not unique")
            names.add(name)
            for key, configs in receiver.items():
                kind = key.removesuffix("_configs")
                if key == "name":
                    continue
                if not key.endswith("_configs") or kind not in (*SENT, *UNSENT):
                    self._wrong((*path, key), f"receiver {name!r}: field {key} is not known")
                elif not isinstance(configs, list) or not all(isinstance(each, dict) for each in configs):
                    self._wrong((*path, key), f"receiver {name!r}: {key} is a list of mappings")
                elif kind in UNSENT:
                    place = self._placed.problem((*path, key), "")
                    self._warnings.append(f"{place}receiver {name!r}: we do not send to {kind}: it is left out")
                else:
                    for index, settings in enumerate(configs):
                        yield self._integration((*path, key, index), name, kind, settings)

    def _integration(self, path: KeyPath, name: str, kind: str, settings: dict[str, Any]) -> IntegrationConfig:
        index = int(path[-1])
        told = str(settings.get("send_resolved", kind not in SILENT_ON_RESOLVE)).lower()
        if told not in _TRUE | _FALSE:
            self._wrong((*path, "send_resolved"), f"receiver {name!r}: send_resolved is true or false")
        place = self._placed.problem(path, "")
        own = {key: value for key, value in settings.items() if key != "send_resolved"}
        return IntegrationConfig(
            name, kind, index, filled(kind, own, self._model.global_ or {}), told in _TRUE,
            f"{place.file}:{place.line}: receiver {name!r}", self._folder,
        )  # fmt: skip

    # Routes

    def _root(self, intervals: Mapping[str, Any]) -> Route:
        model = self._model.route
        if not model.receiver:
            self._wrong(("route",), "root route must specify a default receiver")
        if model.matchers or model.match or model.match_re:
            self._wrong(("route", "matchers"), "root route must not have any matchers")
        for key in ("mute_time_intervals", "active_time_intervals"):
            if getattr(model, key):
                self._wrong(("route", key), f"root route must not have any {key.replace('_', ' ')}")
        if model.continue_:
            self._wrong(("route", "continue"), "cannot have continue in root route")
        return self._route(("route",), model, RouteOptions(model.receiver or ""), "", intervals)

    def _route(
        self, path: KeyPath, model: RouteModel, parent: RouteOptions, parent_key: str, intervals: Mapping[str, Any]
    ) -> Route:
        receivers = {receiver.get("name") for receiver in self._model.receivers}
        if model.receiver and model.receiver not in receivers:
            self._wrong((*path, "receiver"), f"undefined receiver {model.receiver!r} used in route")
        for key in ("mute_time_intervals", "active_time_intervals"):
            for at, name in enumerate(getattr(model, key)):
                if name not in intervals:
                    self._wrong((*path, key, at), f"undefined time interval {name!r} used in route")
        for key in ("group_interval", "repeat_interval"):
            if getattr(model, key) == 0:
                self._wrong((*path, key), f"{key} cannot be zero")
        matchers = self._matchers(path, "", model)
        options = self._options(path, model, parent)
        key = route_key(parent_key, matchers)
        children = tuple(
            self._route((*path, "routes", at), child, options, key, intervals) for at, child in enumerate(model.routes)
        )
        return Route(key, options, matchers, model.continue_, _numbered(children))

    def _options(self, path: KeyPath, model: RouteModel, parent: RouteOptions) -> RouteOptions:
        group_by, by_all = parent.group_by, parent.groups_by_all
        if model.group_by is not None:
            group_by, by_all = tuple(model.group_by), ALL_LABELS in model.group_by
            if by_all and len(group_by) > 1:
                self._wrong(
                    (*path, "group_by"),
                    "cannot have wildcard group_by (`...`) and other labels at the same time",
                )
            if len(set(group_by)) < len(group_by):
                self._wrong((*path, "group_by"), "duplicated label in group_by")
        return RouteOptions(
            receiver=model.receiver or parent.receiver,
            group_by=() if by_all else group_by,
            groups_by_all=by_all,
            group_wait_ms=_or(model.group_wait, parent.group_wait_ms),
            group_interval_ms=_or(model.group_interval, parent.group_interval_ms),
            repeat_interval_ms=_or(model.repeat_interval, parent.repeat_interval_ms),
            mute_time_intervals=tuple(model.mute_time_intervals),
            active_time_intervals=tuple(model.active_time_intervals),
            labels={**parent.labels, **model.labels},
            groups_incidents=parent.groups_incidents if model.group_incidents is None else model.group_incidents,
        )

    def _matchers(self, path: KeyPath, side: str, model: RouteModel | InhibitRuleModel) -> tuple[Matcher, ...]:
        """Those of `matchers`, and of the two older forms. `side` is `source_`, `target_` or nothing."""
        found: list[Matcher] = []
        for at, text in enumerate(getattr(model, f"{side}matchers")):
            try:
                found += parse_matchers(text)
            except SwarmscopeError as error:
                self._wrong((*path, f"{side}matchers", at), str(error))
        for key, operator in (("match", MatchOperator.EQUAL), ("match_re", MatchOperator.REGEX)):
            for name, value in getattr(model, f"{side}{key}").items():
                # As Alertmanager keeps it, which shows in the keys of groups.
                anchored = f"^(?:{value})$" if operator == MatchOperator.REGEX else value
                found.append(Matcher(name, operator, anchored))
        for matcher in found:
            try:
                value_test(matcher)
            except SwarmscopeError as error:
                self._wrong((*path, f"{side}matchers"), f"{matcher}: {error}")
        return tuple(sorted(found, key=lambda each: (each.name, each.value, each.operator)))

    def _inhibit_rule(self, path: KeyPath, model: InhibitRuleModel) -> InhibitRule:
        return InhibitRule(
            self._matchers(path, "source_", model), self._matchers(path, "target_", model), tuple(model.equal)
        )

    # Times

    def _intervals(self) -> dict[str, tuple[TimeInterval, ...]]:
        found: dict[str, tuple[TimeInterval, ...]] = {}
        for key in ("mute_time_intervals", "time_intervals"):
            named: Sequence[NamedIntervalsModel] = getattr(self._model, key)
            for at, each in enumerate(named):
                path: KeyPath = (key, at)
                if each.name in found:
                    self._wrong((*path, "name"), f"time interval {each.name!r} is not unique")
                found[each.name] = tuple(
                    interval
                    for number, model in enumerate(each.time_intervals)
                    if (interval := self._interval((*path, "time_intervals", number), model)) is not None
                )
        return found

    def _interval(self, path: KeyPath, model: TimeIntervalModel) -> TimeInterval | None:
        try:
            return TimeInterval(
                tuple(minute_span(each.start_time, each.end_time) for each in model.times),
                tuple(map(weekday_span, model.weekdays)),
                tuple(map(day_of_month_span, model.days_of_month)),
                tuple(map(month_span, model.months)),
                tuple(map(year_span, model.years)),
                zone_of(model.location),
            )
        except ValueError as error:
            self._wrong(path, str(error))
            return None


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _numbered(children: tuple[Route, ...]) -> tuple[Route, ...]:
    """Routes beside each other with equal matchers are told apart by their number."""
    seen: dict[str, int] = {}
    made = []
    for child in children:
        number = seen.get(child.key, 0)
        seen[child.key] = number + 1
        made.append(child if not number else _renamed(child, child.key, f"{child.key}/{number}"))
    return tuple(made)


def _renamed(route: Route, old: str, new: str) -> Route:
    children = tuple(_renamed(child, old, new) for child in route.children)
    key = new + route.key.removeprefix(old)
    return Route(key, route.options, route.matchers, route.goes_on, children)

"""When rules are evaluated: at their intervals, when what they read has come in, and when a wait is over."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import NamedTuple

from swarmscope.alerting.placed_yaml import BadFileError, FileProblem
from swarmscope.alerting.rules.answers import RuleEngines
from swarmscope.alerting.rules.group import GroupTiming, LiveGroup, Outlets
from swarmscope.alerting.rules.rule_files import load_rules, rule_file_names
from swarmscope.alerting.rules.rules import LoadedRules, RuleGroup
from swarmscope.alerting.rules.settings import EvaluationSettings, SchedulerSettings
from swarmscope.alerting.rules.triggers import RuleAt, SeriesNames, Triggers, by_group
from swarmscope.alerting.rules.view import GroupView
from swarmscope.instrument.metrics import (
    RULE_EVENTS,
    RULE_GROUP_DURATION_S,
    RULE_GROUP_MISSED,
    RULE_GROUP_TIME_S,
)
from swarmscope.model.alerts import AlertPhase
from swarmscope.model.contracts import Clock, Reader
from swarmscope.model.errors import UnavailableError

_log = logging.getLogger(__name__)
_NS_PER_MS = 1_000_000
_FILES_EVERY_S = 2.0  # how often files are looked at
_AFTER_DEFECT_S = 0.5


class RuleSources(NamedTuple):
    """Where rules come from, and what they read."""

    paths: Sequence[Path]
    packs: Callable[[], Sequence[RuleGroup]]  # groups that come with the program
    engines: RuleEngines
    reader: Reader
    names: SeriesNames


class _Events:
    """Which groups are to be evaluated because of commits, and when: spaced, and within a share of one core."""

    def __init__(self, settings: SchedulerSettings) -> None:
        self.has_news = False
        self._settings = settings
        self._lock = threading.Lock()
        self._wanted: dict[str, set[int]] = {}
        self._running: set[str] = set()
        self._began_s, self._spent_s = 0.0, 0.0

    def pause_s(self) -> float:
        """Seconds until a round may begin, 0 for now."""
        with self._lock:
            if not self.has_news:
                return _FILES_EVERY_S
            round_s = max(self._settings.spacing_s, self._spent_s / self._settings.event_share)
            return max(0.0, self._began_s + round_s - time.monotonic())

    def begin(self, triggers: Triggers) -> dict[str, set[int]]:
        """The groups of a round and their rules' positions; a group that still runs is left for a later one."""
        self.has_news = False
        taken = by_group(triggers.take())
        with self._lock:
            for key, positions in taken.items():
                self._wanted.setdefault(key, set()).update(positions)
            chosen = {key: positions for key, positions in self._wanted.items() if key not in self._running}
            for key in chosen:
                del self._wanted[key]
            self._running |= chosen.keys()
            self._began_s, self._spent_s = time.monotonic(), 0.0
            return chosen

    def end(self, key: str, spent_s: float) -> None:
        """A group is done, and took so many CPU seconds."""
        with self._lock:
            self._running.discard(key)
            self._spent_s += spent_s
            if key in self._wanted:
                self.has_news = True


class RuleScheduler:
    """All rules of the program. Implements `RulesView`."""

    def __init__(
        self,
        sources: RuleSources,
        settings: SchedulerSettings,
        evaluation: EvaluationSettings,
        outlets: Outlets,
        clock: Clock,
    ) -> None:
        """Nothing is read yet."""
        self._sources, self._settings, self._evaluation = sources, settings, evaluation
        self._outlets, self._clock = outlets, clock
        self._woken = threading.Event()
        self.triggers = Triggers(sources.names, self._hear_news)
        self._lock = threading.Lock()
        self._reload_lock = threading.Lock()
        self._groups: dict[str, LiveGroup] = {}
        self._problems: tuple[FileProblem, ...] = ()
        self._doubtful: set[str] = set()  # files with wrong rules that were never right
        self._due: list[tuple[int, int, str, int]] = []  # time, order, group, position or -1 for all
        self._order = count()
        self._waits: dict[tuple[str, int], int] = {}  # the times of single rules in `_due`
        self._events = _Events(settings)
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(settings.n_threads, "swarmscope-rules")
        self._busy: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="swarmscope-rule-clock", daemon=True)
        self._stamps: dict[str, tuple[int, int]] = {}

    # What others ask

    def groups(self) -> list[GroupView]:
        """As `RulesView`."""
        with self._lock:
            groups = list(self._groups.values())
        return sorted((group.view() for group in groups), key=lambda view: (view.group.file, view.group.name))

    def problems(self) -> tuple[FileProblem, ...]:
        """As `RulesView`."""
        return self._problems

    def reload(self) -> None:
        """As `RulesView`: groups of files that are wrong go on as they were."""
        with self._reload_lock:
            loaded = load_rules(self._sources.paths)
            self._stamps = _stamps(loaded.files)
            self._take(loaded)
        if loaded.problems:
            raise BadFileError(loaded.problems)

    def _take(self, loaded: LoadedRules) -> None:
        bad = {problem.file for problem in loaded.problems}
        # Of a file that never was right, what can be evaluated is: rules that are wrong say so, the others go on.
        known = {group.group.file for group in self._groups.values()} - self._doubtful
        doubtful = [group for group in loaded.doubtful if group.file not in known]
        self._doubtful = {group.file for group in doubtful}
        made = {group.key: self._live(group) for group in (*self._sources.packs(), *loaded.groups, *doubtful)}
        now_ms, before = self._now_ms(), self._groups
        made |= {key: old for key, old in before.items() if key not in made and old.group.file in bad}
        for key, group in made.items():
            if key not in before:
                group.restore(now_ms)
            elif group is not before[key]:
                group.take_over(before[key], now_ms)
        with self._lock:
            self._groups, self._problems, self._waits = made, loaded.problems, {}
            self._due = [
                (group.timing.tick_before(key, now_ms) + group.timing.interval_ms, next(self._order), key, -1)
                for key, group in made.items()
            ]
            heapq.heapify(self._due)
        self.triggers.watch(
            {
                RuleAt(key, at): rule
                for key, group in made.items()
                if not group.offset_ms  # what has just come in is not looked at yet
                for at, rule in enumerate(group.group.rules)
            }
        )
        for key, old in before.items():
            if key not in made:
                old.end(now_ms)
        if not loaded.problems:  # a file that is mended takes up its alerts again
            self._forget({key for group in made.values() for key in group.keys})
        self._after_changes(made, fires=True)

    def _forget(self, known: set[str]) -> None:
        """Drop what is kept of rules that are no more."""
        kept = self._outlets.kept
        try:
            kept.forget(kept.rules - known)
        except UnavailableError as error:
            _log.warning("rules: %s", error)

    def _live(self, group: RuleGroup) -> LiveGroup:
        timing = GroupTiming(group.interval_ms or self._settings.interval_ms, self._settings.query_offset_ms)
        return LiveGroup(group, timing, self._evaluation, self._outlets)

    def start(self) -> None:
        """Read the files and begin; a file that is wrong is told, and left out."""
        try:
            self.reload()
        except BadFileError as error:
            _log.error("rules: %s", error)
        # Rules see what came in while nobody watched.
        for key in list(self._groups):
            self._submit(key, self._now_ms(), None)
        self._thread.start()

    def stop(self) -> None:
        """End; evaluations that run are waited for."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    # The clock

    def _now_ms(self) -> int:
        return self._clock.now_ns() // _NS_PER_MS

    def _hear_news(self) -> None:
        if not self._events.has_news:
            self._events.has_news = True
            self._woken.set()

    def _run(self) -> None:
        looked_s = time.monotonic()
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                wait_s = min(self._run_due(self._now_ms()), self._run_events())
                if time.monotonic() - looked_s > _FILES_EVERY_S:
                    looked_s = time.monotonic()
                    self._look_at_files()
            except Exception:  # the clock goes on whatever happens
                _log.exception("rules")
                wait_s = _AFTER_DEFECT_S
            self._woken.wait(max(0.0, min(wait_s, _FILES_EVERY_S)))

    def _run_due(self, now_ms: int) -> float:
        """Hand out what is due; seconds until the next is."""
        while True:
            with self._lock:
                if not self._due:
                    return _FILES_EVERY_S
                if self._due[0][0] > now_ms:
                    return (self._due[0][0] - now_ms) / 1000
                at_ms, _, key, position = heapq.heappop(self._due)
                group = self._groups.get(key)
                if group is None:
                    continue
                if self._waits.get((key, position)) == at_ms:
                    del self._waits[key, position]
                if position < 0:
                    after_ms = group.timing.tick_before(key, now_ms) + group.timing.interval_ms
                    missed = (after_ms - at_ms) // group.timing.interval_ms - 1
                    heapq.heappush(self._due, (after_ms, next(self._order), key, -1))
            if position < 0 and missed > 0:
                RULE_GROUP_MISSED.labels(rule_group=key).inc(missed)
            if not self._submit(key, now_ms if position >= 0 else at_ms, None if position < 0 else {position}):
                RULE_GROUP_MISSED.labels(rule_group=key).inc()

    def _run_events(self) -> float:
        """Have what commits concern evaluated when it is time to; seconds until it is time to look again."""
        pause_s = self._events.pause_s()
        if pause_s > 0:
            return pause_s
        for key, positions in self._events.begin(self.triggers).items():
            RULE_EVENTS.inc(len(positions))
            self._pool.submit(self._evaluate_event, key, positions)
        return _FILES_EVERY_S

    def _evaluate_event(self, key: str, positions: set[int]) -> None:
        spent_s = 0.0
        try:
            spent_s = self._evaluate(key, self._now_ms(), positions)
        finally:
            self._events.end(key, spent_s)
            self._woken.set()

    def _submit(self, key: str, at_ms: int, chosen: set[int] | None) -> bool:
        """Have a group evaluated, unless it still is; whether it is."""
        with self._lock:
            if chosen is None and key in self._busy:
                return False
            if chosen is None:
                self._busy.add(key)
        self._pool.submit(self._evaluate, key, at_ms, chosen)
        return True

    def _evaluate(self, key: str, at_ms: int, chosen: set[int] | None) -> float:
        """Evaluate; the CPU seconds that it took."""
        began, started = time.thread_time(), time.perf_counter()
        with self._lock:
            group = self._groups.get(key)
        if group is None or self._stopping.is_set():
            return 0.0
        try:
            changes = group.evaluate(self._sources.engines, self._sources.reader, at_ms, chosen)
            if chosen is None:
                RULE_GROUP_DURATION_S.labels(rule_group=key).set(time.perf_counter() - started)
                RULE_GROUP_TIME_S.labels(rule_group=key).set(at_ms / 1000)
            if changes or chosen is None:
                fires = any(AlertPhase.FIRING in (each.before, each.after) for each in changes)
                self._after_changes({key: group}, fires=fires)
        except Exception:  # nobody asks for the outcome
            _log.exception("rules of %s", key)
        finally:
            if chosen is None:
                with self._lock:
                    self._busy.discard(key)
        return time.thread_time() - began

    def _after_changes(self, groups: Mapping[str, LiveGroup], *, fires: bool) -> None:
        """Look again when time changes an alert, and have composite rules look at once."""
        due = [
            (due_ms, key, position)
            for key, group in groups.items()
            for position, due_ms in enumerate(map(group.next_due_ms, range(len(group.keys))))
            if due_ms is not None
        ]
        with self._lock:
            if fires:
                due += [(0, key, position) for key, group in self._groups.items() for position in group.composites]
            for due_ms, key, position in due:
                if self._waits.get((key, position)) != due_ms:
                    self._waits[key, position] = due_ms
                    heapq.heappush(self._due, (due_ms, next(self._order), key, position))
        self._woken.set()

    def _look_at_files(self) -> None:
        loaded_files = _stamps(load_names(self._sources.paths))
        if loaded_files == self._stamps:
            return
        try:
            self.reload()
            _log.info("rules were read again: a file has changed")
        except BadFileError as error:
            _log.error("rules: %s", error)


def load_names(paths: Sequence[Path]) -> list[str]:
    """All files of rules, unread."""
    return [name for path in paths for name in rule_file_names(str(path))]


def _stamps(files: Sequence[str]) -> dict[str, tuple[int, int]]:
    found = {}
    for file in files:
        try:
            facts = Path(file).stat()
            found[file] = (facts.st_mtime_ns, facts.st_size)
        except OSError:
            continue
    return found

"""One run from its checks to its outcome. Knows nothing of threads or storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swarmscope.alerting.runbooks.command_action import run_command
from swarmscope.alerting.runbooks.filled_action import BadActionError, FilledAction, Occasion, fill
from swarmscope.alerting.runbooks.http_action import run_http, run_signal
from swarmscope.alerting.runbooks.ports import RunbookPorts, SilenceRequest
from swarmscope.alerting.runbooks.runbook_model import ActionKind, ActionModel
from swarmscope.alerting.runbooks.runs import Run
from swarmscope.lang.matchers import labels_test, parse_matchers
from swarmscope.model.errors import SwarmscopeError

_NS_PER_MS = 1_000_000


def fulfils(labels: Mapping[str, str], matchers: Sequence[str]) -> bool:
    """Whether labels fulfil all matchers, as they stand in a runbook. Raises QuerySyntaxError."""
    return labels_test([matcher for text in matchers for matcher in parse_matchers(text)])(labels)


class PreconditionError(Exception):
    """A precondition does not hold; the text says which."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How actions are carried out."""

    ports: RunbookPorts
    allowed: Mapping[str, Path]

    def prepare(self, run: Run, model: ActionModel) -> FilledAction:
        """Fill the templates in and check the preconditions. Raises BadActionError and PreconditionError."""
        occasion = Occasion(
            run.labels, run.annotations, run.phase, run.alert_starts_ns, run.alert, run.incident, run.runbook, run.id
        )
        filled = fill(model, occasion)
        for text in model.when.matchers:
            if not fulfils(run.labels, [text]):
                raise PreconditionError(f"the alert's labels do not fulfil {text}")
        if filled.query:
            if self.ports.holds is None:
                raise PreconditionError("there is nothing to ask queries of")
            if not self.ports.holds(run.tenant, filled.query):
                raise PreconditionError(f"{filled.query} gives nothing")
        if model.kind is ActionKind.COMMAND and filled.command[0] not in self.allowed:
            raise BadActionError(f"{filled.command[0]} is not among the allowed programs")
        return filled

    def carry_out(self, run: Run, filled: FilledAction, now_ns: int) -> str:
        """Do it; what came of it. Raises BadActionError, or whatever a port raises."""
        kind = filled.model.kind
        if kind is ActionKind.HTTP:
            return run_http(filled)
        if kind is ActionKind.COMMAND:
            return run_command(filled, self.allowed)
        if kind is ActionKind.SIGNAL:
            return run_signal(filled)
        return self._silence(run, filled, now_ns)

    def _silence(self, run: Run, filled: FilledAction, now_ns: int) -> str:
        if self.ports.silence is None:
            raise BadActionError("there is nothing that silences")
        try:
            matchers = tuple(matcher for text in filled.matchers for matcher in parse_matchers(text))
            fits_all = labels_test(matchers)({})
        except SwarmscopeError as error:
            raise BadActionError(f"{', '.join(filled.matchers)}: {error}") from None
        if fits_all:
            raise BadActionError("the silence would fit every alert")
        ends_ns = now_ns + filled.model.duration * _NS_PER_MS
        comment = f"runbook {run.runbook}, action {run.action}, run {run.id}"
        request = SilenceRequest(run.tenant, matchers, now_ns, ends_ns, run.approved_by or "runbook", comment)
        return f"silence {self.ports.silence(request)}"

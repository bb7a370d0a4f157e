"""An action with the alert's words in its templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from swarmscope.alerting.rules.rule_templates import GoMap
from swarmscope.alerting.runbooks.runbook_model import ActionKind, ActionModel
from swarmscope.lang.templates import parse_template, run_template
from swarmscope.lang.templates.builtins import BUILTINS
from swarmscope.model.errors import SwarmscopeError

_MISSING = ""


class BadActionError(SwarmscopeError):
    """An action cannot be run on this alert; the text says why."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What an action is run for."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    status: str = "firing"
    starts_ns: int = 0
    fingerprint: str = ""
    incident: str = ""
    runbook: str = ""
    run: str = ""

    def data(self) -> dict[str, object]:
        """What templates see."""
        return {
            "Labels": GoMap(self.labels), "Annotations": GoMap(self.annotations), "Status": self.status,
            "StartsAtUnixNano": self.starts_ns, "Fingerprint": self.fingerprint, "Incident": self.incident,
            "Runbook": self.runbook, "Run": self.run,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class FilledAction:
    """Nothing in it is a template any more."""

    model: ActionModel
    occasion: Occasion
    query: str
    url: str
    headers: Mapping[str, str]
    body: str
    command: tuple[str, ...]
    agent: str
    matchers: tuple[str, ...]

    def shown(self) -> dict[str, object]:
        """What is recorded of it: no secret is in it."""
        kind = self.model.kind
        if kind is ActionKind.HTTP:
            return {"method": self.model.method, "url": self.url, "headers": dict(self.headers), "body": self.body}
        if kind is ActionKind.COMMAND:
            return {"command": list(self.command)}
        if kind is ActionKind.SIGNAL:
            return {"url": self.url, "signal": self.model.signal, "agent": self.agent}
        return {"matchers": list(self.matchers), "duration_s": self.model.duration / 1000}


def fill(model: ActionModel, occasion: Occasion) -> FilledAction:
    """Fill in an action's templates. Raises BadActionError where one fails, or what it gives must not be used."""
    data = occasion.data()
    # Within a URL an alert's words are one segment or one value, whatever is in them.
    quoted = {
        **data,
        "Labels": GoMap({name: quote(value, safe="") for name, value in occasion.labels.items()}),
        "Annotations": GoMap({name: quote(value, safe="") for name, value in occasion.annotations.items()}),
    }
    # In a query or a matcher they stand within quotes.
    escaped = {**data, "Labels": GoMap({name: _escaped(value) for name, value in occasion.labels.items()})}
    headers = {name: _run(text, data) for name, text in model.headers.items()}
    for name, value in headers.items():
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise BadActionError(f"the header {name} would hold a control character")
    return FilledAction(
        model=model,
        occasion=occasion,
        query=_run(model.when.query, escaped),
        url=_run(model.url, quoted),
        headers=headers,
        body=_run(model.body, data),
        command=tuple(_argument(text, data) for text in model.command),
        agent=_run(model.agent, data),
        matchers=tuple(_run(text, escaped) for text in model.matchers),
    )  # fmt: skip


def _run(text: str, data: Mapping[str, object]) -> str:
    if "{{" not in text:
        return text
    try:
        return run_template(parse_template(text, BUILTINS), data, missing=_MISSING)
    except SwarmscopeError as error:
        raise BadActionError(f"template {text!r}: {error}") from None


def _argument(text: str, data: Mapping[str, object]) -> str:
    found = _run(text, data)
    if "{{" in text:
        if not found:
            raise BadActionError(f"the argument {text!r} would be empty")
        # What an alert says must not become an option of the program.
        if found.startswith("-") and not text.startswith("-"):
            raise BadActionError(f"the argument {text!r} would be the option {found!r}")
        if "\0" in found:
            raise BadActionError(f"the argument {text!r} would hold a zero byte")
    return found


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

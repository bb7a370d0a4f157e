"""`agent`, `tool`, `workflow`, `handoff` and `inference`: decorators and context managers that make GenAI spans.

Names and attributes are those of https://github.com/open-telemetry/semantic-conventions-genai (docs/gen-ai).
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar, cast, overload

from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AttributeValue

from swarmscope.sdk.configuration import current
from swarmscope.sdk.scopes import Scope, SpanPlan
from swarmscope.sdk.wrapping import Arguments, wrapped

Function = TypeVar("Function", bound=Callable[..., Any])
_logger = logging.getLogger("swarmscope.sdk")
_MAX_CONTENT_CHARS = 16_384
# Scopes entered with `with`, innermost last: a tuple, so that tasks do not see each other's.
_entered: ContextVar[tuple[tuple[Operation, Scope], ...]] = ContextVar("swarmscope_sdk_entered", default=())


class Operation:
    """Something that agents do: a decorator for functions of every form, or a context manager (`async` too).

    One may be used many times, at once and recursively.
    """

    def __init__(
        self, verb: str, name: str, name_key: str, attributes: dict[str, AttributeValue | None], kind: SpanKind
    ) -> None:
        self._verb, self._name, self._name_key, self._kind = verb, name, name_key, kind
        self._attributes = {key: value for key, value in attributes.items() if value is not None and value != ""}
        self._open: list[Scope] = []

    def plan(self, name: str = "", documentation: str | None = None) -> SpanPlan:
        """The span; `name` and `documentation` are used where none were given."""
        name = self._name or name
        attributes: dict[str, AttributeValue] = {"gen_ai.operation.name": self._verb}
        if name:
            attributes[self._name_key] = name
        description_key = self._name_key.replace(".name", ".description")
        if documentation and self._verb in ("invoke_agent", "execute_tool"):
            attributes[description_key] = documentation.strip().split("\n")[0]
        attributes |= self._attributes
        return SpanPlan(f"{self._verb} {name}" if name else self._verb, attributes, self._kind)

    def __call__(self, function: Function) -> Function:
        """Put the operation around every call of `function`, whose name is the operation's unless it has one.

        Raises TypeError for a class: decorate its methods.
        """
        if isinstance(function, type):
            raise TypeError(f"{function.__name__} is a class; its methods can be decorated")
        if isinstance(function, staticmethod | classmethod):
            return cast(Function, type(function)(self(function.__func__)))
        name = getattr(function, "__name__", type(function).__name__)
        plan = self.plan(name, getattr(function, "__doc__", None))
        is_tool = self._verb == "execute_tool"

        def open_scope(arguments: Arguments) -> Scope:
            scope = Scope(plan)
            if is_tool and _captures_content():
                _capture(scope.span, "gen_ai.tool.call.arguments", lambda: _by_name(function, arguments))
            return scope

        def on_result(scope: Scope, result: Any) -> None:
            if is_tool and _captures_content():
                _capture(scope.span, "gen_ai.tool.call.result", lambda: result)

        return wrapped(function, open_scope, on_result)

    def __enter__(self) -> Span:
        scope = Scope(self.plan())
        self._open.append(scope)
        _entered.set((*_entered.get(), (self, scope)))
        return scope.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        scopes = _entered.get()
        last = max((at for at, (owner, _) in enumerate(scopes) if owner is self), default=None)
        if last is not None:
            _entered.set(scopes[:last] + scopes[last + 1 :])
            scope = scopes[last][1]
        elif self._open:  # left in another context than it was entered in: an async generator that nobody closed
            scope = self._open[-1]
        else:
            return
        self._open.remove(scope)
        scope.__exit__(kind, error, traceback)

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.__exit__(kind, error, traceback)


@overload
def agent(name: Function) -> Function: ...
@overload
def agent(
    name: str = "", *, version: str = "", agent_id: str = "", team: str = "", description: str = "", model: str = ""
) -> Operation: ...
def agent(
    name: Any = "", *, version: str = "", agent_id: str = "", team: str = "", description: str = "", model: str = ""
) -> Any:
    """Work of one agent, in this process: span `invoke_agent NAME`. `@agent`, `@agent("x")`, `with agent("x"):`."""
    attributes: dict[str, AttributeValue | None] = {
        "gen_ai.agent.version": version,
        "gen_ai.agent.id": agent_id,
        "agent.team": team,
        "gen_ai.agent.description": description,
        "gen_ai.request.model": model,
    }
    return _operation("invoke_agent", name, "gen_ai.agent.name", attributes)


@overload
def tool(name: Function) -> Function: ...
@overload
def tool(name: str = "", *, kind: str = "function", call_id: str = "", description: str = "") -> Operation: ...
def tool(name: Any = "", *, kind: str = "function", call_id: str = "", description: str = "") -> Any:
    """A call of a tool: span `execute_tool NAME`.

    Arguments and results of decorated functions are told with `configure(capture_content=True)`, as JSON, at most
    16,384 characters of each. `kind` is the convention's `gen_ai.tool.type`: function, extension or datastore.
    """
    attributes: dict[str, AttributeValue | None] = {
        "gen_ai.tool.type": kind,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.description": description,
    }
    return _operation("execute_tool", name, "gen_ai.tool.name", attributes)


@overload
def workflow(name: Function) -> Function: ...
@overload
def workflow(name: str = "") -> Operation: ...
def workflow(name: Any = "") -> Any:
    """A run of several agents that belongs together: span `invoke_workflow NAME`."""
    return _operation("invoke_workflow", name, "gen_ai.workflow.name", {})


def handoff(target: str, *, source: str = "", returns: bool = False) -> Operation:
    """Control passes to the agent `target`: span `execute_tool transfer_to_TARGET` with `gen_ai.transfer.…`.

    The agent that hands over is the one around it, or `source`. With `returns` control comes back when the other is
    done.
    """
    attributes: dict[str, AttributeValue | None] = {
        "gen_ai.tool.type": "function",
        "gen_ai.transfer.target.name": target,
        "gen_ai.transfer.mode": "return_to_caller" if returns else "pass_control",
        "gen_ai.agent.name": source,
    }
    return Operation("execute_tool", f"transfer_to_{target}", "gen_ai.tool.name", attributes, SpanKind.INTERNAL)


def inference(model: str, *, provider: str = "", operation: str = "chat") -> Operation:
    """A call of a model, where no instrumentation of its library makes a span already: span `chat MODEL`."""
    attributes: dict[str, AttributeValue | None] = {"gen_ai.provider.name": provider}
    return Operation(operation, model, "gen_ai.request.model", attributes, SpanKind.CLIENT)


def _operation(verb: str, name: Any, name_key: str, attributes: dict[str, AttributeValue | None]) -> Any:
    if callable(name):
        return Operation(verb, "", name_key, attributes, SpanKind.INTERNAL)(name)
    return Operation(verb, name, name_key, attributes, SpanKind.INTERNAL)


def _captures_content() -> bool:
    telemetry = current()
    return telemetry is not None and telemetry.settings.capture_content


def _capture(span: Span, key: str, content: Callable[[], Any]) -> None:
    try:
        value = content()
        text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
        span.set_attribute(key, text[:_MAX_CONTENT_CHARS])
    except Exception:
        _logger.debug("content of a tool's call cannot be told", exc_info=True)


def _by_name(function: Callable[..., Any], arguments: Arguments) -> dict[str, Any]:
    args, kwargs = arguments
    bound = dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    return {name: value for name, value in bound.items() if name not in ("self", "cls")}

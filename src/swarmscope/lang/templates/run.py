"""A run of a template's tree over data. Source of the semantics: https://pkg.go.dev/text/template"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from swarmscope.lang.templates.builtins import BUILTINS, truth
from swarmscope.lang.templates.errors import TemplateFailedError, TemplateTooLargeError
from swarmscope.lang.templates.functions import Functions, type_name
from swarmscope.lang.templates.go_format import text_of
from swarmscope.lang.templates.nodes import (
    Action,
    Break,
    Chain,
    Command,
    Continue,
    Dot,
    Field,
    Function,
    If,
    Invocation,
    Literal,
    Node,
    Operand,
    Pipeline,
    Range,
    Template,
    Text,
    Variable,
    With,
)
from swarmscope.lang.templates.objects import Record, SafeText, call_method, method_of, printed_text

MAX_OUTPUT = 1 << 20  # characters; a line longer than this helps nobody
MAX_STEPS = 100_000  # nodes and commands evaluated; bounds nested ranges
MAX_INVOCATIONS = 40  # templates that call templates; the run recurses
NO_VALUE = "<no value>"  # how Go prints what is not there


@dataclass(frozen=True, slots=True)
class _Missing:
    """What a name stands for that the data does not have."""


_MISSING = _Missing()


class _BreakLoopError(Exception):
    pass


class _ContinueLoopError(Exception):
    pass


def run_template(
    template: Template,
    data: object,
    functions: Functions | None = None,
    missing: object = _MISSING,
    escape: Callable[[str, Sequence[str]], str] | None = None,
) -> str:
    """The output of a template over `data`: maps, lists, texts, numbers, moments.

    `functions` are added to Go's own. `missing` is what a name gives that `data` itself, a map, does not have; without
    it such a name prints as `<no value>`. `escape` is given what an action prints, unless that is SafeText, and what
    was printed before it. Raises TemplateFailedError where Go would stop, or a bound is hit.
    """
    run = _Run(template, data, BUILTINS if functions is None else {**BUILTINS, **functions}, missing)
    run.escape = escape
    try:
        run.nodes(template.nodes, data)
    except RecursionError:
        raise TemplateFailedError("template is nested too deep") from None
    return "".join(run.out)


class _Run:
    def __init__(self, template: Template, data: object, functions: Functions, missing: object) -> None:
        self.definitions = dict(template.definitions)
        self.root = data
        self.functions = functions
        self.missing = missing
        self.escape: Callable[[str, Sequence[str]], str] | None = None
        self.variables: list[tuple[str, object]] = [("$", data)]
        self.out: list[str] = []
        self.size = 0
        self.steps = 0
        self.invocations = 0

    def nodes(self, nodes: Sequence[Node], dot: object) -> None:
        for node in nodes:
            match node:
                case Text(text=text):
                    self._print(text)
                case Action(pipeline=pipeline):
                    value = self.pipeline(pipeline, dot)
                    if not pipeline.variables:
                        self._print_value(value)
                case If() | With():
                    self._branch(node, dot)
                case Range():
                    self._range(node, dot)
                case Invocation():
                    self._invoke(node, dot)
                case Break():
                    raise _BreakLoopError
                case Continue():
                    raise _ContinueLoopError

    def _print_value(self, value: object) -> None:
        text = NO_VALUE if value is None or value is _MISSING else printed_text(value)
        if self.escape is not None and not isinstance(value, SafeText):
            text = self.escape(text, self.out)
        self._print(text)

    def _print(self, text: str) -> None:
        self.size += len(text)
        if self.size > MAX_OUTPUT:
            raise TemplateTooLargeError(f"output is longer than {MAX_OUTPUT} characters")
        self._step()
        self.out.append(text)

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TemplateTooLargeError(f"template takes more than {MAX_STEPS} steps")

    def _branch(self, node: If | With, dot: object) -> None:
        known = len(self.variables)
        value = self.pipeline(node.pipeline, dot)
        if value is not _MISSING and truth(value):
            self.nodes(node.body, value if isinstance(node, With) else dot)
        else:
            self.nodes(node.otherwise, dot)
        del self.variables[known:]

    def _range(self, node: Range, dot: object) -> None:
        outer = len(self.variables)
        value = self.pipeline(node.pipeline, dot, bind=False)
        names = node.pipeline.variables
        ran = False
        for key, element in _elements(value):
            ran = True
            self._step()
            known = len(self.variables)
            pairs = (element,) if len(names) == 1 else (key, element)
            for name, each in zip(names, pairs, strict=False):
                self._bind(name, each, node.pipeline.assigns)
            try:
                self.nodes(node.body, element)
            except _ContinueLoopError:
                pass
            except _BreakLoopError:
                break
            finally:
                del self.variables[known:]
        if not ran:
            self.nodes(node.otherwise, dot)
        del self.variables[outer:]

    def _invoke(self, node: Invocation, dot: object) -> None:
        if node.name not in self.definitions:
            raise TemplateFailedError(f'template "{node.name}" not defined')
        value = None if node.pipeline is None else self.pipeline(node.pipeline, dot)
        self.invocations += 1
        if self.invocations > MAX_INVOCATIONS:
            raise TemplateFailedError("exceeded maximum template depth")
        variables, self.variables = self.variables, [("$", value)]
        self.nodes(self.definitions[node.name], value)
        self.variables = variables
        self.invocations -= 1

    # Values

    def _bind(self, name: str, value: object, assigns: bool) -> None:
        if not assigns:
            self.variables.append((name, value))
            return
        for position in range(len(self.variables) - 1, -1, -1):
            if self.variables[position][0] == name:
                self.variables[position] = (name, value)
                return
        raise TemplateFailedError(f"undefined variable: {name}")

    def pipeline(self, pipeline: Pipeline, dot: object, bind: bool = True) -> object:
        value: object = None
        for position, command in enumerate(pipeline.commands):
            value = self._command(command, dot, (value,) if position else ())
        if bind:
            for name in pipeline.variables:
                self._bind(name, value, pipeline.assigns)
        return value

    def _command(self, command: Command, dot: object, final: tuple[object, ...]) -> object:
        self._step()
        first, *rest = command.operands
        if isinstance(first, Function):
            return self._call(first.name, rest, dot, final)
        if rest or final:
            return self._member_call(first, rest, dot, final)
        if isinstance(first, Literal) and first.value is None:
            raise TemplateFailedError("nil is not a command")
        return self._operand(first, dot)

    def _call(self, name: str, operands: Sequence[Operand], dot: object, final: tuple[object, ...]) -> object:
        if name in ("and", "or") and operands:
            return self._shortcut(name == "and", operands, dot, final)
        arguments = [self._argument(operand, dot) for operand in operands]
        arguments.extend(None if value is _MISSING else value for value in final)
        function = self.functions.get(name)
        if function is None:
            raise TemplateFailedError(f'function "{name}" not defined')
        # A variable that is doubled again and again would fill the memory before anything is printed.
        if sum(len(argument) for argument in arguments if isinstance(argument, str)) > MAX_OUTPUT:
            raise TemplateTooLargeError(f"{name} is given more than {MAX_OUTPUT} characters")
        try:
            return function(name, arguments)
        except TemplateFailedError as error:
            raise TemplateFailedError(f"error calling {name}: {error}") from None

    def _member_call(
        self, first: Operand, operands: Sequence[Operand], dot: object, final: tuple[object, ...]
    ) -> object:
        if not isinstance(first, Field | Variable | Chain) or not first.names:
            raise TemplateFailedError(f"can't give argument to non-function {_operand_text(first)}")
        arguments = [self._argument(operand, dot) for operand in operands]
        arguments.extend(None if value is _MISSING else value for value in final)
        match first:
            case Field(names=names):
                return self._fields(dot, names, arguments)
            case Variable(name=name, names=names):
                return self._fields(self._variable(name), names, arguments)
            case Chain(pipeline=pipeline, names=names):
                return self._fields(self.pipeline(pipeline, dot), names, arguments)

    def _shortcut(self, wants_all: bool, operands: Sequence[Operand], dot: object, final: tuple[object, ...]) -> object:
        value: object = None
        for operand in operands:
            value = self._argument(operand, dot)
            if truth(value) is not wants_all:
                return value
        return final[0] if final else value

    def _argument(self, operand: Operand, dot: object) -> object:
        value = self._operand(operand, dot)
        return None if value is _MISSING else value

    def _operand(self, operand: Operand, dot: object) -> object:
        match operand:
            case Field(names=names):
                return self._fields(dot, names)
            case Literal(value=value):
                return value
            case Dot():
                return dot
            case Variable(name=name, names=names):
                return self._fields(self._variable(name), names)
            case Pipeline():
                return self.pipeline(operand, dot)
            case Chain(pipeline=pipeline, names=names):
                return self._fields(self.pipeline(pipeline, dot), names)
            case Function(name=name):
                return self._call(name, (), dot, ())

    def _variable(self, name: str) -> object:
        for known, value in reversed(self.variables):
            if known == name:
                return value
        raise TemplateFailedError(f"undefined variable: {name}")

    def _fields(self, value: object, names: tuple[str, ...], arguments: Sequence[object] = ()) -> object:
        """Fields, and methods; the last name is a method where there are arguments."""
        for position, name in enumerate(names):
            given = arguments if position == len(names) - 1 else ()
            method = method_of(value, name)
            if method is not None:
                value = call_method(value, name, method, list(given))
            elif given:
                raise TemplateFailedError(f"{name} is not a method but has arguments")
            elif isinstance(value, Mapping) and not (isinstance(value, Record) and name not in value):
                value = value.get(name, self.missing if value is self.root else _MISSING)
            elif value is None or value is _MISSING:
                raise TemplateFailedError(f"nil pointer evaluating interface {{}}.{name}")
            else:
                raise TemplateFailedError(f"can't evaluate field {name} in type {type_name(value)}")
        return value


def _elements(value: object) -> Iterator[tuple[object, object]]:
    if value is None or value is _MISSING:
        return
    if isinstance(value, Mapping):
        yield from ((key, value[key]) for key in sorted(value))
    elif isinstance(value, list | tuple):
        yield from enumerate(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from ((i, i) for i in range(value))
    else:
        raise TemplateFailedError(f"range can't iterate over {text_of(value)}")


def _operand_text(operand: Operand) -> str:
    match operand:
        case Field(names=names):
            return "." + ".".join(names)
        case Variable(name=name):
            return name
        case Literal(text=text):
            return text
        case _:
            return "(…)"

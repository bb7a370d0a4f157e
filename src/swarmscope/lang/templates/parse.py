"""Text to tree, by recursive descent."""

from __future__ import annotations

from collections.abc import Collection

from swarmscope.lang.templates.go_strings import unquote
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
from swarmscope.lang.templates.tokens import Token, tokens_of
from swarmscope.model.errors import QuerySyntaxError

MAX_TEMPLATE_LENGTH = 1 << 16  # characters
MAX_NESTING = 60  # blocks and brackets inside one another; the parser and the run recurse
_BLOCKS: dict[str, type[If] | type[With] | type[Range]] = {"if": If, "with": With, "range": Range}
_KEYWORDS = frozenset({*_BLOCKS, "else", "end", "define", "template", "block", "break", "continue"})


def parse_template(text: str, functions: Collection[str]) -> Template:
    """The tree of a template that may call `functions` (their names, built-in ones included).

    Raises QuerySyntaxError with a position where Go would refuse it.
    """
    if len(text) > MAX_TEMPLATE_LENGTH:
        raise QuerySyntaxError(f"template is longer than {MAX_TEMPLATE_LENGTH} characters", MAX_TEMPLATE_LENGTH)
    return _Parser(text, functions).template()


class _Parser:
    def __init__(self, text: str, functions: Collection[str]) -> None:
        self.tokens = list(tokens_of(text))
        self.at = 0
        self.functions = functions
        self.variables = ["$"]
        self.definitions: dict[str, tuple[Node, ...]] = {}
        self.depth = 0
        self.loops = 0

    def template(self) -> Template:
        nodes, stop = self._body()
        if stop != "":
            raise self._unexpected(stop)
        return Template(nodes, tuple(self.definitions.items()))

    # Tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def _advance(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def _skip_space(self) -> Token:
        while self.token.kind == "space":
            self.at += 1
        return self.token

    def _close(self, where: str) -> None:
        if self._skip_space().kind != "close":
            raise self._unexpected(self.token.text, f" in {where}")
        self.at += 1

    def _unexpected(self, text: str, where: str = "") -> QuerySyntaxError:
        return QuerySyntaxError(f"unexpected {text or 'end of the template'!r}{where}", self.token.position)

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise QuerySyntaxError(f"template is nested deeper than {MAX_NESTING} levels", self.token.position)

    # Nodes

    def _body(self) -> tuple[tuple[Node, ...], str]:
        """Nodes up to `{{end}}`, `{{else` or the end of all, and which it was; the word is read, what follows not."""
        nodes: list[Node] = []
        while self.token.kind != "end":
            token = self._advance()
            if token.kind == "text":
                nodes.append(Text(token.text))
                continue
            word = self._skip_space()
            if word.kind == "word" and word.text in ("end", "else"):
                self.at += 1
                return tuple(nodes), word.text
            node = self._keyword(word.text) if word.kind == "word" and word.text in _KEYWORDS else self._action()
            if node is not None:
                nodes.append(node)
        return tuple(nodes), ""

    def _action(self) -> Node:
        line = self.token.position
        pipeline = self._pipeline("command")
        self._close("command")
        return Action(pipeline, line)

    def _keyword(self, word: str) -> Node | None:
        self.at += 1
        if word in _BLOCKS:
            return self._block(word)
        if word in ("break", "continue"):
            if not self.loops:
                raise QuerySyntaxError(f"{{{{{word}}}}} outside {{{{range}}}}", self.token.position)
            self._close(word)
            return Break() if word == "break" else Continue()
        if word == "define":
            self._definition("define", self._name(word))
            return None
        name = self._name(word)
        pipeline = None if self._skip_space().kind == "close" else self._pipeline(word)
        if word == "block":
            if pipeline is None:
                raise self._unexpected(self.token.text, " in block clause")
            self._definition("block", name)
        else:
            self._close("template clause")
        return Invocation(name, pipeline)

    def _name(self, where: str) -> str:
        if self._skip_space().kind != "string":
            raise self._unexpected(self.token.text, f" in {where} clause")
        return self._string(self._advance())

    def _definition(self, where: str, name: str) -> None:
        self._close(f"{where} clause")
        self._deeper()
        outer, loops = self.variables, self.loops
        self.variables, self.loops = ["$"], 0
        nodes, stop = self._body()
        if stop != "end":
            raise self._unexpected(stop, f" in {where} clause")
        self._close("end")
        self.variables, self.loops = outer, loops
        self.depth -= 1
        self.definitions[name] = nodes

    def _block(self, word: str) -> Node:
        kind = _BLOCKS[word]
        self._deeper()
        known = len(self.variables)
        pipeline = self._pipeline(word, in_range=word == "range")
        self._close(word)
        self.loops += word == "range"
        body, stop = self._body()
        self.loops -= word == "range"
        otherwise: tuple[Node, ...] = ()
        if stop == "else":
            again = self._skip_space()
            if again.kind == "word" and again.text == word and word != "range":
                self.at += 1
                otherwise, stop = (self._block(word),), ""
            else:
                self._close("else")
                otherwise, stop = self._body()
                if stop != "end":
                    raise self._unexpected(stop, f", expected end of {word}")
        elif stop != "end":
            raise self._unexpected(stop, f", expected end of {word}")
        if stop == "end":
            self._close("end")
        del self.variables[known:]
        self.depth -= 1
        return kind(pipeline, body, otherwise)

    # Pipelines

    def _pipeline(self, where: str, in_range: bool = False) -> Pipeline:
        self._deeper()
        names, assigns = self._declaration(in_range)
        commands: list[Command] = []
        while True:
            commands.append(self._command(where))
            if commands[1:] and not isinstance(commands[-1].operands[0], Function | Field | Variable | Chain):
                raise QuerySyntaxError(f"non executable command in pipeline stage {len(commands)}", self.token.position)
            if self.token.text != "|" or self.token.kind != "sign":
                break
            self.at += 1
        if not assigns:
            self.variables.extend(names)
        self.depth -= 1
        return Pipeline(tuple(commands), names, assigns)

    def _declaration(self, in_range: bool) -> tuple[tuple[str, ...], bool]:
        start = self.at
        names: list[str] = []
        while self._skip_space().kind == "variable" and len(names) < (2 if in_range else 1):
            names.append(self._advance().text)
            self._skip_space()
            if self.token.text == "," and in_range and len(names) == 1:
                self.at += 1
                continue
            break
        if names and self.token.kind == "declare":
            self.at += 1
            return tuple(names), False
        if names and self.token.kind == "sign" and self.token.text == "=":
            for name in names:
                self._known(name)
            self.at += 1
            return tuple(names), True
        self.at = start
        return (), False

    def _known(self, name: str) -> None:
        if name not in self.variables:
            raise QuerySyntaxError(f'undefined variable "{name}"', self.token.position)

    def _command(self, where: str) -> Command:
        operands: list[Operand] = []
        while True:
            token = self._skip_space()
            if token.kind == "close" or (token.kind == "sign" and token.text in ")|"):
                break
            operands.append(self._operand(where))
            if self.token.kind not in ("space", "close") and self.token.text not in (")", "|"):
                raise self._unexpected(self.token.text, f" in {where}")
        if not operands:
            raise QuerySyntaxError(f"missing value for {where}", self.token.position)
        if len(operands) > 1 and isinstance(operands[0], Literal | Dot):
            raise QuerySyntaxError("can't give argument to non-function", self.token.position)
        return Command(tuple(operands))

    def _operand(self, where: str) -> Operand:
        token = self._advance()
        match token.kind:
            case "string":
                return Literal(self._string(token), token.text)
            case "number":
                return Literal(_number(token), token.text)
            case "char":
                return Literal(_character(token), token.text)
            case "dot":
                return Dot()
            case "field":
                return Field((token.text[1:], *self._fields()))
            case "variable":
                self._known(token.text)
                return Variable(token.text, self._fields())
            case "word":
                return self._word(token)
            case "sign" if token.text == "(":
                pipeline = self._pipeline("parenthesized pipeline")
                if self._skip_space().text != ")":
                    raise self._unexpected(self.token.text, ", expected )")
                self.at += 1
                names = self._fields()
                return Chain(pipeline, names) if names else pipeline
        self.at -= 1
        raise self._unexpected(token.text, f" in {where}")

    def _word(self, token: Token) -> Operand:
        if token.text in ("true", "false"):
            return Literal(token.text == "true", token.text)
        if token.text == "nil":
            return Literal(None, token.text)
        if token.text not in self.functions:
            raise QuerySyntaxError(f'function "{token.text}" not defined', token.position)
        return Function(token.text)

    def _fields(self) -> tuple[str, ...]:
        names: list[str] = []
        while self.token.kind == "field":
            names.append(self._advance().text[1:])
        return tuple(names)

    def _string(self, token: Token) -> str:
        try:
            return unquote(token.text)
        except ValueError as error:
            raise QuerySyntaxError(str(error), token.position) from None


def _number(token: Token) -> int | float:
    text = token.text.replace("_", "")
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-")
    try:
        if digits[:2].lower() in ("0x", "0b", "0o"):
            return sign * int(digits, 0)
        if any(mark in digits for mark in ".eE"):
            return sign * float(digits)
        return sign * (int(digits, 8) if len(digits) > 1 and digits[0] == "0" else int(digits))
    except ValueError:
        raise QuerySyntaxError(f"bad number syntax: {token.text!r}", token.position) from None


def _character(token: Token) -> int:
    body = token.text[1:-1]
    text = "'" if body == "\\'" else unquote(f'"{body}"') if body != '"' else body
    return ord(text)

"""Why a text is not PromQL, in Prometheus' words and with the place.

The library says what is wrong in wording of its own and not where; the place is found in the tokens.
"""

from __future__ import annotations

import re

from swarmscope.lang.promql.tokens import Token, scan_tokens

_TYPE_WORDS = re.compile(r"\b(expected type|got|of type|or|type) (vector|matrix)\b")
_DOCUMENTED = {"vector": "instant vector", "matrix": "range vector"}
_CLOSERS = {"(": ")", "{": "}", "[": "]"}
_BRACKET_NAMES = {"(": "parenthesis", "{": "brace", "[": "bracket"}


def explain_refusal(text: str, refusal: str) -> tuple[str, int]:
    """(message with `line:column: parse error:`, offset in characters) for a text that the library refused."""
    tokens = scan_tokens(text)
    message = _prometheus_wording(refusal)
    position = _locate(text, tokens, refusal)
    if refusal == "invalid promql query":
        position, message = _first_unexpected(text, tokens)
    before = text[:position]
    line = before.count("\n") + 1
    column = len(before[before.rfind("\n") + 1 :].encode()) + 1
    return f"{line}:{column}: parse error: {message}", position


def _prometheus_wording(refusal: str) -> str:
    words = _TYPE_WORDS.sub(lambda m: f"{m[1]} {_DOCUMENTED[m[2]]}", refusal)
    return re.sub(r"'([^']*)'", r'"\1"', words).replace("BOOL modifier", "BOOL modifier")


def _locate(text: str, tokens: list[Token], refusal: str) -> int:
    """The offset that a refusal is about: the thing it names, an open bracket, or the end."""
    named = re.search(r"'([^']+)'", refusal)
    if named is not None:
        for index, token in enumerate(tokens):
            if token.text.lower() == named[1].lower() and (
                token.kind != "name"
                or (index + 1 < len(tokens) and tokens[index + 1].text in "({[")
                or "operator" in refusal
            ):
                return token.start
    if "unexpected end" in refusal:
        return len(text)
    if "left parenthesis" in refusal or "unclosed" in refusal:
        return len(text)
    return tokens[0].start if tokens else 0


def _first_unexpected(text: str, tokens: list[Token]) -> tuple[int, str]:
    """(offset, message) of the first token that cannot stand where it stands."""
    expect_operand = True
    open_brackets: list[Token] = []
    for token in tokens:
        if token.text in ("(", "{") and token.kind == "op":
            open_brackets.append(token)
            expect_operand = True
            continue
        if token.text in (")", "}") and token.kind == "op":
            if not open_brackets or _CLOSERS[open_brackets[-1].text] != token.text:
                side = "right " + _BRACKET_NAMES["(" if token.text == ")" else "{"]
                return token.start, f'unexpected {side} "{token.text}"'
            open_brackets.pop()
            expect_operand = False
            continue
        if open_brackets and open_brackets[-1].text == "{":
            continue
        problem = _misplaced(token, expect_operand)
        if problem:
            return token.start, problem
        expect_operand = _expects_operand_after(token)
    if open_brackets:
        return len(text), f"unclosed left {_BRACKET_NAMES[open_brackets[-1].text]}"
    return (len(text), "unexpected end of input") if tokens else (0, "no expression found in input")


_WORD_OPERATORS = frozenset(
    {"and", "or", "unless", "atan2", "bool", "on", "ignoring", "group_left", "group_right", "by", "without",
     "offset", "fill", "fill_left", "fill_right"}
)  # fmt: skip


def _misplaced(token: Token, expect_operand: bool) -> str:
    """What is wrong with a token here, or ""."""
    if token.kind == "other":
        return f"unexpected character: {token.text!r}"
    if token.kind == "op":
        if expect_operand and token.text not in ("+", "-", "@", ","):
            return f"unexpected <op:{token.text}>"
        return ""
    if token.text.lower() in _WORD_OPERATORS or token.kind == "range":
        return ""
    if not expect_operand:
        kind = {"name": "identifier", "number": "number", "string": "string"}[token.kind]
        shown = token.text if token.kind == "string" else f'"{token.text}"'
        return f"unexpected {kind} {shown}"
    return ""


def _expects_operand_after(token: Token) -> bool:
    if token.kind == "op":
        return True
    return token.kind == "name" and token.text.lower() in _WORD_OPERATORS

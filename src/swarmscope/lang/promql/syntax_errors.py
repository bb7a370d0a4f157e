"""Why a text is not PromQL, in Prometheus' words and with the place.

The library says what is wrong in wording of its own and not where; the place is found in the tokens.
"""

from __future__ import annotations

import re

from swarmscope.lang.promql.matcher_errors import first_bad_matcher
from swarmscope.lang.promql.refusal_places import find_place
from swarmscope.lang.promql.tokens import Token, line_column, scan_tokens

_TYPE_WORDS = re.compile(r"\b(expected type|got:?|of type|or|type|allowed on) (vector|matrix)\b")
_DOCUMENTED = {"vector": "instant vector", "matrix": "range vector"}
_CLOSERS = {"(": ")", "{": "}", "[": "]"}
# The library's words, and those of Prometheus.
_WORDINGS = (
    (r"(expected type (?:scalar|string) in aggregation) expression", r"\1 parameter"),
    (r"(only allowed on expressions of type .*), got: (.+)", r'\1, got "\2"'),
    (r"unexpected second colon\(:\) in brackets", "unexpected colon ':'"),
    (r"bad number or duration syntax: ([0-9.]+).*", r'bad number or duration syntax: "\1"'),
    (r"(unterminated quoted string) .", r"\1"),
    (r"unexpected end of input inside brackets", "unclosed left bracket"),
    (r"^illegal regex for (.*)", r"error parsing regexp: `\1`"),
)
_BRACKET_NAMES = {"(": "parenthesis", "{": "brace", "[": "bracket"}


def explain_refusal(text: str, refusal: str) -> tuple[str, int]:
    """(message with `line:column: parse error:`, offset in characters) for a text that the library refused."""
    tokens = scan_tokens(text)
    message = _prometheus_wording(refusal)
    place = find_place(text, tokens, refusal)
    position = _locate(text, tokens, refusal) if place is None else place
    if refusal == "invalid promql query" or re.search(r"label match|inside braces: ", refusal):
        position, message = first_bad_matcher(tokens) or _first_unexpected(text, tokens)
    return f"{line_column(text, position)}: parse error: {message}", position


def _prometheus_wording(refusal: str) -> str:
    words = _TYPE_WORDS.sub(lambda m: f"{m[1]} {_DOCUMENTED[m[2]]}", refusal)
    for pattern, replacement in _WORDINGS:
        words = re.sub(pattern, replacement, words)
    # Single characters are quoted as such, texts as texts.
    return words if re.search(r"unexpected (character|right|colon)", words) else re.sub(r"'([^']*)'", r'"\1"', words)


def _locate(text: str, tokens: list[Token], refusal: str) -> int:
    """The offset that a refusal is about: the thing it names, an open bracket, or the end."""
    stray = re.search(r"unexpected right \w+ '(.)'", refusal)
    if stray is not None:
        return _stray_bracket(tokens, stray[1])
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


def _stray_bracket(tokens: list[Token], bracket: str) -> int:
    """Behind the first closing bracket that nothing opened, where Prometheus' scanner stands by then."""
    depth = 0
    for token in tokens:
        if token.kind == "op" and token.text in "(){}[]":
            depth += (_CLOSERS.get(token.text) == bracket) - (token.text == bracket)
        if depth < 0:
            return token.end
    return 0


def _first_unexpected(text: str, tokens: list[Token]) -> tuple[int, str]:
    """(offset, message) of the first token that cannot stand where it stands."""
    expect_operand = True
    open_brackets: list[Token] = []
    before: Token | None = None
    for token in tokens:
        if token.text in ("(", "{") and token.kind == "op":
            open_brackets.append(token)
            expect_operand = True
            before = token
            continue
        if token.text in (")", "}") and token.kind == "op":
            if not open_brackets or _CLOSERS[open_brackets[-1].text] != token.text:
                side = "right " + _BRACKET_NAMES["(" if token.text == ")" else "{"]
                return token.end, f"unexpected {side} '{token.text}'"
            open_brackets.pop()
            expect_operand = False
            before = token
            continue
        if open_brackets and open_brackets[-1].text == "{":
            continue
        problem = _misplaced(token, expect_operand) or _misplaced_after(before, token)
        if problem:
            return token.start, problem
        expect_operand = _expects_operand_after(token)
        before = token
    if open_brackets:
        return len(text), f"unclosed left {_BRACKET_NAMES[open_brackets[-1].text]}"
    context = _context_after(before) if before is not None and tokens[-1] is before else ""
    return (len(text), f"unexpected end of input{context}") if tokens else (0, "no expression found in input")


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


def _context_after(before: Token) -> str:
    """What Prometheus says it was reading after a word that wants something certain."""
    match before.text.lower():
        case "@":
            return " in @, expected timestamp"
        case "by" | "without" | "on" | "ignoring":
            return ' in grouping opts, expected "("'
        case "offset":
            return " in offset, expected duration"
    return ""


def _misplaced_after(before: Token | None, token: Token) -> str:
    """What is wrong with a token for what stands before it, or ""."""
    context = _context_after(before) if before is not None else ""
    is_word = token.kind == "name" and token.text.lower() not in ("start", "end", *_WORD_OPERATORS)
    if context and is_word:
        return f'unexpected identifier "{token.text}"{context}'
    if token.text.lower() in ("group_left", "group_right") and (before is None or before.text != ")"):
        return f"unexpected <{token.text.lower()}>" if before is None or before.kind != "op" else ""
    return ""


def _expects_operand_after(token: Token) -> bool:
    if token.kind == "op":
        return True
    return token.kind == "name" and token.text.lower() in _WORD_OPERATORS

"""Answers to requests that fail, as go-openapi gives them: an object for what breaks the form, a text for the rest."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from swarmscope.api.answers import JSON_TYPE, ChunkedAnswer

# go-openapi's codes of what is wrong with a value.
WRONG_TYPE, REQUIRED, TOO_FEW_ITEMS = 601, 602, 612
_UNPROCESSABLE = 422


class Refusal(Exception):  # noqa: N818 - an answer, with its status
    """A request that is answered with an error."""

    def __init__(
        self, payload: str | Mapping[str, object] | None, status: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(payload)
        self.payload = payload
        self.status = status
        self.headers = headers or {}

    def answer(self) -> ChunkedAnswer:
        """The response; without a payload its body is empty."""
        if self.payload is None:
            return ChunkedAnswer([], self.status, {**self.headers})
        return ChunkedAnswer(
            [orjson.dumps(self.payload) + b"\n"], self.status, {"content-type": JSON_TYPE, **self.headers}
        )


def refuse(message: str, status: int = 400) -> Refusal:
    """What is asked for cannot be done."""
    return Refusal(message, status)


def refuse_form(message: str, status: int, code: int | None = None) -> Refusal:
    """The request has not the form that it must have."""
    return Refusal({"code": status if code is None else code, "message": message}, status)


def refuse_value(code: int, place: str, message: str) -> Refusal:
    """A value of a body or path is not what it must be; `place` such as `matchers.0.name in body`."""
    return refuse_form(f"{place} {message}", _UNPROCESSABLE, code)


def required(place: str) -> Refusal:
    """A value is missing."""
    return refuse_value(REQUIRED, place, "is required")

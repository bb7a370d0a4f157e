"""How a command of the client ends: exit codes, problems in words, closed pipes, Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

EXIT_FAILED = 1
EXIT_MISUSED = 2
EXIT_INTERRUPTED = 130
_PLACE = re.compile(r"parse error at line (\d+), col (\d+)")


class QueryProblem(Exception):  # noqa: N818 - an outcome to be shown, with its exit code
    """What went wrong, in words, and the exit code that goes with it."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Terminal(Console):
    """A console that leaves a closed pipe to its caller."""

    def on_broken_pipe(self) -> None:
        """Let it rise."""
        raise BrokenPipeError


def exit_code_of(work: Callable[[Console], None], expression: str, *, interrupted: int = EXIT_INTERRUPTED) -> int:
    """Do `work`, which is handed a console for messages, and tell what goes wrong, with the place in the query.

    0, 1 when the query failed, 2 when it was asked wrongly, `interrupted` after Ctrl-C.
    """
    messages = Console(stderr=True, soft_wrap=True)
    try:
        work(messages)
        sys.stdout.flush()
    except QueryProblem as problem:
        messages.print(Text(str(problem), style="red"))
        if (pointed := pointed_at(expression, str(problem))) is not None:
            messages.print(Text(pointed))
        return problem.exit_code
    except BrokenPipeError:
        # Whoever read this has enough. What is still held back goes nowhere, or Python would complain at its end.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return interrupted
    return 0


def pointed_at(expression: str, words: str) -> str | None:
    """The line of the query that an error names, with a mark below the place; None where it names none."""
    place = _PLACE.search(words)
    lines = expression.splitlines()
    if place is None or not 1 <= int(place[1]) <= len(lines) or int(place[2]) < 1:
        return None
    line = lines[int(place[1]) - 1]
    before = line[: int(place[2]) - 1]
    return f"  {line}\n  {''.join(letter if letter == chr(9) else ' ' for letter in before)}^"

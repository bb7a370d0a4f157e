"""Compiling all kernels into the cache, in processes of their own.

The compiler keeps 650 MiB of what it made along the way for as long as its process lives. A server that loads finished
kernels needs none of that, so a first start has other processes compile them: two, which share the parts.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

from swarmscope.app.kernel_cache import mark_complete, prepare_cache
from swarmscope.app.unneeded_imports import refuse_unneeded_imports
from swarmscope.intelligence.measuring_kernels import compile_measuring

_log = logging.getLogger(__name__)
# More would take more memory than a machine of 8 GiB can spare.
_MAX_PROCESSES = 2
MEASURING = "measuring intelligence"  # compiled by a process of its own, which has SciPy


def compile_kernels(on_part: Callable[[str], None]) -> bool:
    """Compile everything in other processes, which use this one's cache; whether they did. Can take minutes.

    `on_part` is told each part's name before it begins.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="swarmscope-") as claims, _compilers(claims) as compilers:
            for line in _lines(compilers):
                on_part(line)
            return all(compiler.wait() == 0 for compiler in compilers)
    except OSError as error:
        _log.warning("the processes that compile kernels cannot be started: %s", error)
        return False


@contextlib.contextmanager
def _compilers(claims: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that compile what none of the others has claimed; none is left when the context ends."""
    command = [sys.executable, "-m", "swarmscope.app.compiling", claims]
    with contextlib.ExitStack() as stack:
        compilers = []
        for _ in range(min(_MAX_PROCESSES, os.cpu_count() or 1)):
            compiler = stack.enter_context(
                subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
                )
            )
            stack.callback(compiler.kill)
            compilers.append(compiler)
        yield compilers


def _lines(compilers: list[subprocess.Popen[str]]) -> Iterator[str]:
    """What they print, until all have ended."""
    told: SimpleQueue[str | None] = SimpleQueue()

    def read(compiler: subprocess.Popen[str]) -> None:
        # Where waiting is given up, the pipe is closed under our hands.
        with contextlib.suppress(ValueError):
            for line in compiler.stdout or ():
                told.put(line.strip())
        told.put(None)

    for compiler in compilers:
        threading.Thread(target=read, args=(compiler,), daemon=True).start()
    running = len(compilers)
    while running:
        line = told.get()
        if line is None:
            running -= 1
        else:
            yield line


def _claimed(claims: Path, part: str) -> bool:
    """Whether the part is this process' to compile: whoever makes its file first has it."""
    try:
        (claims / part.replace("/", " ")).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _write_in_turn(cache: Path) -> None:
    """Let one process at a time write to the cache: Numba reads a function's index, adds to it and writes it back."""
    from numba.core import caching

    save = caching.IndexDataCacheFile.save
    # Held open until the process ends.
    lock = os.open(cache / "lock", os.O_CREAT | os.O_RDWR, 0o600)

    def save_alone(file: caching.IndexDataCacheFile, key: object, data: object) -> None:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            save(file, key, data)  # type: ignore[no-untyped-call]
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)

    caching.IndexDataCacheFile.save = save_alone  # type: ignore[method-assign]


def main() -> None:
    """One line a part. With a folder as the argument: one of the processes that share the parts there."""
    cache = prepare_cache()
    if len(sys.argv) < 2:
        if not compile_kernels(lambda part: print(part, flush=True)):
            raise SystemExit(1)
        mark_complete(cache)
        return
    refuse_unneeded_imports()
    # Imported here: it brings Numba, which reads where its cache is when it is imported.
    from swarmscope.app.warming import warm_up

    _write_in_turn(cache)
    # The compiler keeps nearly all that it makes: looking for what can be freed takes a tenth of the time.
    gc.set_threshold(200_000, 50, 100)
    claims = Path(sys.argv[1])
    if _claimed(claims, MEASURING):
        print(MEASURING, flush=True)
        compile_measuring()
    warm_up(lambda part: print(part, flush=True), lambda part: _claimed(claims, part))


if __name__ == "__main__":
    main()

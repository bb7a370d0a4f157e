"""Compiling all kernels into the cache, in a process of its own.

The compiler keeps 650 MiB of what it made along the way for as long as its process lives. A server that loads finished
kernels needs none of that, so a first start has another process compile them.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable

from swarmscope.app.kernel_cache import mark_complete, prepare_cache
from swarmscope.app.unneeded_imports import refuse_unneeded_imports

_log = logging.getLogger(__name__)


def compile_kernels(on_part: Callable[[str], None]) -> bool:
    """Compile everything in another process, which uses this one's cache; whether it did. Can take minutes.

    `on_part` is told each part's name before it begins.
    """
    command = [sys.executable, "-m", "swarmscope.app.compiling"]
    try:
        with subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as compiler:
            try:
                for line in compiler.stdout or ():
                    on_part(line.strip())
            except BaseException:
                compiler.kill()
                raise
    except OSError as error:
        _log.warning("the process that compiles kernels cannot be started: %s", error)
        return False
    return compiler.returncode == 0


def main() -> None:
    """The other process: one line a part."""
    cache = prepare_cache()
    refuse_unneeded_imports()
    # Imported here: it brings Numba, which reads where its cache is when it is imported.
    from swarmscope.app.warming import warm_up

    warm_up(lambda part: print(part, flush=True))
    mark_complete(cache)


if __name__ == "__main__":
    main()

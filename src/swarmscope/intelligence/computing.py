"""The process that measures: takes measurements from its standard input, one after the other, and answers each."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import struct
import sys
import threading
import time
from typing import IO

import orjson

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.intelligence.measurement import CHECK_S, IDLE_S, LENGTH, Failed, Finished, Measurement, Progressed
from swarmscope.intelligence.measuring import measure

_ORPHAN_S = 1.0


def main() -> None:
    """Work until the input ends or rests, or the process that began this one ends. The argument is a niceness."""
    with contextlib.suppress(OSError):
        os.nice(int(sys.argv[1]))
    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not disturb the answers
    while select.select([source], [], [], IDLE_S)[0]:
        head = source.read(struct.calcsize(LENGTH))
        if len(head) < struct.calcsize(LENGTH):
            return
        _tell(sink, _answer(pickle.loads(source.read(*struct.unpack(LENGTH, head))), sink))  # noqa: S301 - our own


def _answer(measurement: Measurement, sink: IO[bytes]) -> Failed | Finished:
    began_s, told_s = time.process_time(), [time.monotonic()]

    def progress(part: float) -> None:
        if time.monotonic() - told_s[0] > CHECK_S:
            told_s[0] = time.monotonic()
            _tell(sink, Progressed(part))

    try:
        results = measure(measurement, progress)
    except (ModelError, ValueError) as error:
        return Failed(str(error))
    except Exception as error:
        return Failed(f"{type(error).__name__}: {error}")
    # NumPy's numbers become Python's.
    plain = orjson.loads(orjson.dumps(results, option=orjson.OPT_SERIALIZE_NUMPY))
    return Finished(plain, time.process_time() - began_s)


def _tell(sink: IO[bytes], message: object) -> None:
    body = pickle.dumps(message, protocol=5)
    sink.write(struct.pack(LENGTH, len(body)) + body)
    sink.flush()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_ORPHAN_S)
    os._exit(1)


if __name__ == "__main__":
    main()

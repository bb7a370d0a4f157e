"""Actions that are commands: allow-listed, without a shell, with little memory, time and output."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from swarmscope.alerting.runbooks.filled_action import BadActionError, FilledAction

MAX_OUTPUT_BYTES = 64 * 1024
_MAX_FILE_BYTES = 16 * 1024 * 1024
_MAX_FILES = 64
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Limits are set by a small program that then becomes the command: code between fork and exec may lock up in a
# process that has threads.
_LIMITER = """\
import os, resource, sys
names = ("RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE")
for name, text in zip(names, sys.argv[1].split(",")):
    kind = getattr(resource, name)
    hard = resource.getrlimit(kind)[1]
    limit = int(text) if hard == resource.RLIM_INFINITY else min(int(text), hard)
    resource.setrlimit(kind, (limit, limit))
os.execv(sys.argv[2], sys.argv[2:])
"""


def allowed_programs(paths: list[Path]) -> dict[str, Path]:
    """Programs that runbooks may start, by what they are called there: their path, and their name where it is clear.

    Raises ValueError for a path that is not absolute.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.is_absolute():
            raise ValueError(f"{path}: an allowed program is named by its whole path")
        found[str(path)] = path
    names = [path.name for path in paths]
    return found | {path.name: path for path in paths if names.count(path.name) == 1}


def run_command(action: FilledAction, allowed: Mapping[str, Path]) -> str:
    """Run the command; what it printed. Raises BadActionError unless it ends with 0 in time."""
    program = allowed.get(action.command[0])
    if program is None:
        raise BadActionError(f"{action.command[0]} is not among the allowed programs")
    if not os.access(program, os.X_OK):
        raise BadActionError(f"{program} cannot be executed")
    timeout_s = action.model.timeout / 1000
    limits = (math.ceil(timeout_s) + 1, action.model.memory_bytes, _MAX_FILE_BYTES, _MAX_FILES, 0)
    line = [
        sys.executable, "-I", "-S", "-c", _LIMITER, ",".join(map(str, limits)), str(program), *action.command[1:],
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="swarmscope-runbook-") as folder, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603
            line, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder,
            env=_environment(action, folder), start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # Whatever it has started goes with it, also where it ended well.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        told = output.read(MAX_OUTPUT_BYTES).decode(errors="replace").strip()
    if code is None:
        raise BadActionError(f"it did not end within {timeout_s:g} s\n{told}".strip())
    if code != 0:
        how = f"it ended with {code}" if code > 0 else f"it was ended by {signal.Signals(-code).name}"
        raise BadActionError(f"{how}\n{told}".strip())
    return told


def _environment(action: FilledAction, folder: str) -> dict[str, str]:
    """Nothing of our own: secrets may be in it."""
    occasion = action.occasion
    told = {
        "SWARMSCOPE_ALERT": occasion.labels.get("alertname", ""), "SWARMSCOPE_STATUS": occasion.status,
        "SWARMSCOPE_FINGERPRINT": occasion.fingerprint, "SWARMSCOPE_INCIDENT": occasion.incident,
        "SWARMSCOPE_RUN": occasion.run,
    }  # fmt: skip
    told = {name: value.replace("\0", "") for name, value in told.items()}
    return {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder, **told}

"""Other people's clients of the log protocols, pinned, in the user's cache: Node's packages and Python's.

They are installed once, by `tools/peers` (which runs this file) or by the first test that wants them, and stay apart
from what the program itself depends on.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

SOURCES = Path(__file__).parent
INSTALL_TIMEOUT_S = 300


class NotInstallableError(Exception):
    """The clients cannot be had on this machine; the text says why."""


def node_clients() -> Path:
    """The folder in which Node's senders find their packages. Raises NotInstallableError."""
    folder = _cache() / f"node-clients-{_version('package.json', 'package-lock.json')}"
    senders = sorted(SOURCES.glob("*.mjs"))
    # Node looks for packages in the folders above a script's own, so the scripts are copied to where these are.
    beside = folder / f"senders-{_version(*(path.name for path in senders))}"

    def install() -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, folder)
        _install_node(folder)

    _once(folder, install)
    _once(beside, lambda: [shutil.copy(sender, beside) for sender in senders])
    return beside


def python_clients() -> Path:
    """The folder of a virtual environment with the Python clients. Raises NotInstallableError."""
    folder = _cache() / f"python-clients-{_version('requirements.txt')}"
    _once(folder, lambda: _install_python(folder))
    return folder


def old_python_clients() -> Path:
    """As `python_clients`, with those that want OpenTelemetry's SDK of 2023. Raises NotInstallableError."""
    folder = _cache() / f"old-python-clients-{_version('requirements-old.txt')}"
    _once(folder, lambda: _install_python(folder, "requirements-old.txt"))
    return folder


def reading_python_clients() -> Path:
    """As `python_clients`, with those that ask a Jaeger. Raises NotInstallableError."""
    folder = _cache() / f"reading-python-clients-{_version('requirements-readers.txt')}"
    _once(folder, lambda: _install_python(folder, "requirements-readers.txt"))
    return folder


def agent_python_clients() -> Path:
    """As `python_clients`, with frameworks for agents and what traces them. Raises NotInstallableError."""
    folder = _cache() / f"agent-python-clients-{_version('requirements-agents.txt')}"
    _once(folder, lambda: _install_python(folder, "requirements-agents.txt"))
    return folder


def crewai_python_clients() -> Path:
    """As `python_clients`, with CrewAI but for 600 MB that it does not load here: stores, Kubernetes, readers of files.

    Raises NotInstallableError.
    """
    folder = _cache() / f"crewai-python-clients-{_version('requirements-crewai.txt')}"
    _once(folder, lambda: _install_python(folder, "requirements-crewai.txt"))
    return folder


def alert_python_clients() -> Path:
    """As `python_clients`, with those of whoever is told of alerts. Raises NotInstallableError."""
    folder = _cache() / f"alert-python-clients-{_version('requirements-alerts.txt')}"
    _once(folder, lambda: _install_python(folder, "requirements-alerts.txt"))
    return folder


def _cache() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "swarmscope-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _version(*sources: str) -> str:
    content = hashlib.sha256(sys.version.encode())
    for source in sources:
        content.update((SOURCES / source).read_bytes())
    return content.hexdigest()[:12]


def _once(folder: Path, install: Callable[[], object]) -> None:
    with _locked(folder.with_suffix(".lock")):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install()
            (folder / "ready").touch()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Test workers run side by side; one installs, the others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install_node(folder: Path) -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise NotInstallableError("Node and npm are not installed")
    _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder)


def _install_python(folder: Path, requirements: str = "requirements.txt") -> None:
    # The files name all that is wanted; of CrewAI's dependencies they leave some out.
    wanted = ["--quiet", "--require-hashes", "--no-deps", "-r", str(SOURCES / requirements)]
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is not None:
        _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)], folder)
        _run([uv, "pip", "install", "--python", str(folder / "bin" / "python"), *wanted], folder)
        return
    try:
        venv.create(folder, with_pip=True)
    except subprocess.CalledProcessError as error:
        raise NotInstallableError(f"no virtual environment can be made: {error}") from error
    _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", *wanted], folder)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise NotInstallableError(f"{command[0]} does not end within {INSTALL_TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise NotInstallableError(f"{' '.join(command[:2])}: {done.stderr.decode(errors='replace')[-500:]}")


def main() -> None:
    """Install all of them; say what cannot be installed, and go on without."""
    for clients in (
        node_clients,
        python_clients,
        old_python_clients,
        reading_python_clients,
        agent_python_clients,
        crewai_python_clients,
        alert_python_clients,
    ):
        try:
            clients()
        except NotInstallableError as error:
            print(f"Not installed, so tests that need them are skipped: {clients.__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()

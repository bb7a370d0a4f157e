"""Signals from runbooks to an agent: pause, resume, restart. Opt-in, signed, and apart from telemetry.

    signals = AgentSignals(secret=os.environ["SIGNAL_SECRET"], agent="researcher-01", on_restart=begin_again)
    with SignalServer(signals, port=4700):
        while work_is_left():
            signals.wait_while_paused()
            do_some()

Whoever has an HTTP server already hands requests to `AgentSignals.handle` instead. See docs/runbooks.md.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

SIGNATURE_HEADER = "x-swarmscope-signature"
TIMESTAMP_HEADER = "x-swarmscope-timestamp"
MAX_BODY_BYTES = 64 * 1024
_MAX_AGE_S = 300
_MAX_REMEMBERED = 1000
_READ_TIMEOUT_S = 10
_LOOK_EVERY_S = 0.1  # whether to stop
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AgentSignal:
    """What somebody asks of an agent."""

    id: str
    signal: str  # pause, resume, restart
    agent: str
    reason: str
    incident: str
    runbook: str


class SignalRefusedError(Exception):
    """A request is not a signal for this agent; `status` is the HTTP status to answer with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _nothing(signal: AgentSignal) -> None:
    """The agent looks at `is_paused` by itself."""


class AgentSignals:
    """The signals of one process. Thread-safe.

    `agent` is the only name that is listened to, "" listens to all. `on_pause`, `on_resume` and `on_restart` are called
    in the thread of the request and should return soon; without `on_restart`, restarts are refused.
    """

    def __init__(
        self,
        secret: str,
        agent: str = "",
        *,
        on_pause: Callable[[AgentSignal], None] = _nothing,
        on_resume: Callable[[AgentSignal], None] = _nothing,
        on_restart: Callable[[AgentSignal], None] | None = None,
    ) -> None:
        """Raises ValueError for an empty secret."""
        if not secret:
            raise ValueError("signals need a secret")
        self._secret, self._agent = secret.encode(), agent
        self._handlers = {"pause": on_pause, "resume": on_resume, "restart": on_restart}
        self._running = threading.Event()
        self._running.set()
        self._lock = threading.Lock()
        self._known: OrderedDict[str, None] = OrderedDict()

    @property
    def is_paused(self) -> bool:
        """Whether the agent was asked to pause, and not to resume since."""
        return not self._running.is_set()

    def wait_while_paused(self, timeout_s: float | None = None) -> bool:
        """Return once the agent is not paused, or after `timeout_s`; whether it is not."""
        return self._running.wait(timeout_s)

    def handle(self, headers: Mapping[str, str], body: bytes) -> AgentSignal:
        """Act on a request. Raises SignalRefusedError; whatever a handler raises is raised to the caller.

        A signal that comes again is not acted on again.
        """
        told = {name.lower(): value for name, value in headers.items()}
        self._check(told, body)
        signal = _read(body)
        if self._agent and signal.agent != self._agent:
            raise SignalRefusedError(404, f"there is no agent {signal.agent!r} here")
        handler = self._handlers.get(signal.signal)
        if handler is None:
            raise SignalRefusedError(422, f"{signal.signal!r} is not understood here")
        with self._lock:
            if signal.id in self._known:
                return signal
            self._known[signal.id] = None
            if len(self._known) > _MAX_REMEMBERED:
                self._known.popitem(last=False)
        if signal.signal == "pause":
            self._running.clear()
        else:
            self._running.set()
        handler(signal)
        return signal

    def _check(self, headers: Mapping[str, str], body: bytes) -> None:
        stamp, given = headers.get(TIMESTAMP_HEADER, ""), headers.get(SIGNATURE_HEADER, "")
        wanted = hmac.new(self._secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(f"sha256={wanted}".encode(), given.encode()):
            raise SignalRefusedError(401, "the signature is not right")
        # Signed, so it is a number, but an old request may have been listened to.
        if not stamp.isascii() or not stamp.isdigit() or abs(time.time() - int(stamp)) > _MAX_AGE_S:
            raise SignalRefusedError(401, "the signal is too old")


def _read(body: bytes) -> AgentSignal:
    try:
        said = json.loads(body)
    except ValueError:
        raise SignalRefusedError(400, "the body is no JSON") from None
    if not isinstance(said, dict) or said.get("version") != 1:
        raise SignalRefusedError(400, "the body is no signal of version 1")
    fields = {name: said.get(name, "") for name in AgentSignal.__slots__}
    if not all(isinstance(value, str) for value in fields.values()) or not fields["id"]:
        raise SignalRefusedError(400, "the fields of a signal are text, and 'id' is not empty")
    return AgentSignal(**fields)


class SignalServer:
    """A small HTTP server for signals, on a thread of its own; a context manager. Port 0 takes a free one."""

    def __init__(self, signals: AgentSignals, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind. Raises OSError."""
        self._server = ThreadingHTTPServer((host, port), _handler(signals))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_EVERY_S,), name="swarmscope-signals", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> SignalServer:
        """Begin to listen."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Listen no more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> SignalServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _handler(signals: AgentSignals) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _READ_TIMEOUT_S

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isascii() or not length.isdigit():
                self._answer(411, "a body with its length is needed")
                return
            if int(length) > MAX_BODY_BYTES:
                self._answer(413, "the body is too long")
                return
            try:
                signal = signals.handle(dict(self.headers.items()), self.rfile.read(int(length)))
                self._answer(200, f"{signal.signal} taken")
            except SignalRefusedError as error:
                self._answer(error.status, str(error))
            except Exception:
                _log.exception("a signal was not acted on")
                self._answer(500, "the agent did not manage")

        def _answer(self, status: int, message: str) -> None:
            body = json.dumps({"message": message}).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            _log.debug(format, *args)

    return Handler

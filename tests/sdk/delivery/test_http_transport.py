import time
from email.utils import formatdate

import pytest

from swarmscope.sdk.delivery.http_transport import HttpTransport, parse_retry_after
from swarmscope.sdk.delivery.transport import Answer
from tests.sdk.otlp_receiver import Told, dead_port


def _transport(url, **options):
    return HttpTransport(f"{url}/v1/traces", {}, certificate_file=None, **{"compress": False, **options})


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, "ACCEPTED"), (202, "ACCEPTED"), (429, "AGAIN"), (502, "AGAIN"), (503, "AGAIN"), (504, "AGAIN"),
     (301, "REFUSED"), (400, "REFUSED"), (401, "REFUSED"), (404, "REFUSED"), (413, "REFUSED"), (500, "REFUSED")],
)  # fmt: skip
def test_status(receiver, status, answer):
    receiver.answers["/v1/traces"].append(Told(status, {"Retry-After": "7"}))
    reply = _transport(receiver.url).send(b"", 5)
    assert reply.answer is Answer[answer]
    assert reply.retry_after_s == (7 if answer == "AGAIN" else None)
    assert len(receiver.attempts["/v1/traces"]) == 1


def test_nobody_there_or_nobody_answers(receiver):
    assert _transport(f"http://127.0.0.1:{dead_port()}").send(b"", 1).answer is Answer.AGAIN
    receiver.answers["/v1/traces"].append(Told(delay_s=0.5))
    assert _transport(receiver.url).send(b"", 0.05).answer is Answer.AGAIN


def test_line_in_netrc_does_not_replace_the_token(receiver, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    headers = {"Authorization": "Bearer t"}
    HttpTransport(f"{receiver.url}/v1/traces", headers, certificate_file=None, compress=True).send(b"", 5)
    assert receiver.headers[0]["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, None), ("3", 3), ("0.5", 0.5), ("-2", 0), ("nan", None), ("inf", None), ("soon", None)]
)
def test_retry_after(text, seconds):
    assert parse_retry_after(text) == seconds


def test_retry_after_a_date():
    assert parse_retry_after(formatdate(time.time() + 60, usegmt=True)) == pytest.approx(60, abs=2)
    assert parse_retry_after(formatdate(time.time() - 60, usegmt=True)) == 0

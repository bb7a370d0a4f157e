import gzip
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest
from tests.app.push_peer import PushPeer
from tests.portion import portion
from typer.testing import CliRunner

from swarmscope.app.cli import app
from swarmscope.app.ingestion import line_blocks, shipping


@pytest.fixture
def peer():
    peer = PushPeer()
    yield peer
    peer.close()


@pytest.fixture
def ingest(peer, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object, stdin: bytes | None = None):
        return CliRunner().invoke(app, ["ingest", "logs", *map(str, arguments), "--url", peer.url], input=stdin)

    return run


class _Following:
    """The command as a process of its own, following."""

    def __init__(self, url, *arguments, stdin=None):
        command = [sys.executable, "-c", "from swarmscope.app.cli import main; main()", "ingest", "logs", "--url", url]
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, float]:
        began_s = time.monotonic()
        self.process.send_signal(number)
        words = self.process.communicate(timeout=20)[1].decode()
        return self.process.returncode, words, time.monotonic() - began_s


@pytest.fixture
def following(peer, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    started = []

    def start(*arguments, stdin=None):
        started.append(_Following(peer.url, *arguments, stdin=stdin))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


def _numbered(first: int, end: int) -> list[str]:
    return [f"2026-01-02T03:04:05Z line {number:07d}" for number in range(first, end)]


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_a_file_is_sent_and_told(ingest, peer, tmp_path):
    file = tmp_path / "app.log"
    file.write_text("2026-01-02T03:04:05Z a\n2026-01-02T03:04:05Z b\nc")
    done = ingest(file, "--service", "app", "--label", "x=y")
    assert done.exit_code == 0
    assert "3 lines sent, of 47 bytes read" in done.stderr
    assert done.stdout == ""
    labels = f'{{service_name="app", x="y", filename="{file}"}}'
    base = 1_767_323_045 * 10**9
    assert list(peer.kept) == [
        (labels, base, "2026-01-02T03:04:05Z a"), (labels, base + 1, "2026-01-02T03:04:05Z b"), (labels, base + 2, "c"),
    ]  # fmt: skip


def test_token_and_tenant_go_along(ingest, peer, tmp_path):
    (tmp_path / "a").write_text("x\n")
    assert ingest(tmp_path / "a", "--token", "t", "--tenant", "me").exit_code == 0
    assert peer.headers[0]["authorization"] == "Bearer t"
    assert peer.headers[0]["x-scope-orgid"] == "me"
    # Another tenant has nothing of this file yet.
    assert "1 lines sent" in ingest(tmp_path / "a", "--tenant", "you").stderr


def test_another_run_sends_what_is_new(ingest, peer, tmp_path):
    file = tmp_path / "app.log"
    file.write_text("a\nb\n")
    ingest(file)
    assert "0 lines sent" in ingest(file).stderr
    with file.open("a") as more:
        more.write("c\n")
    assert "1 lines sent" in ingest(file).stderr
    assert peer.lines() == ["a", "b", "c"]
    assert "3 lines sent" in ingest(file, "--from-start").stderr


def test_equal_times_over_blocks_keep_their_order_and_number(ingest, peer, tmp_path, monkeypatch):
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 100)
    lines = ["2026-01-02T03:04:05Z the same"] * 20 + _numbered(0, 30)
    (tmp_path / "app.log").write_text(_text(lines))
    assert ingest(tmp_path / "app.log").exit_code == 0
    assert len(peer.sizes) > 5
    assert peer.lines() == lines


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_files(ingest, peer, tmp_path, compression):
    lines = _numbered(0, 5000)
    data = _text(lines).encode()
    packed = gzip.compress(data) if compression == "gzip" else pa.compress(data, "zstd", asbytes=True)
    (tmp_path / "app.log.1").write_bytes(packed)
    assert ingest(tmp_path / "app.log.1").exit_code == 0
    assert peer.lines() == lines
    assert "0 lines sent" in ingest(tmp_path / "app.log.1").stderr


def test_a_damaged_compressed_file_is_told_and_others_go_on(ingest, peer, tmp_path):
    (tmp_path / "bad.gz").write_bytes(gzip.compress(os.urandom(1000).hex().encode())[:500])
    (tmp_path / "good").write_text("x\n")
    done = ingest(tmp_path / "bad.gz", tmp_path / "good")
    assert done.exit_code == 1
    assert f"{tmp_path / 'bad.gz'}: " in done.stderr
    assert "x" in peer.lines()


def test_what_cannot_be_opened_is_told_and_others_go_on(ingest, peer, tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "good").write_text("x\n")
    (tmp_path / "folder").mkdir()
    done = ingest(tmp_path / "folder", tmp_path / "missing", tmp_path / "empty", tmp_path / "good")
    assert done.exit_code == 1
    assert f"{tmp_path / 'folder'}: Is a directory" in done.stderr
    assert f"{tmp_path / 'missing'}: No such file or directory" in done.stderr
    assert peer.lines() == ["x"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(ingest, tmp_path):
    (tmp_path / "secret").write_text("x\n")
    (tmp_path / "secret").chmod(0)
    assert "Permission denied" in ingest(tmp_path / "secret").stderr


def test_a_file_that_is_named_twice_is_read_once(ingest, peer, tmp_path):
    (tmp_path / "a").write_text("x\n")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    done = ingest(tmp_path / "a", tmp_path / "a", tmp_path / "b")
    assert done.exit_code == 0
    assert "1 lines sent" in done.stderr


def test_odd_bytes_go_as_they_are(ingest, peer, tmp_path):
    long = "l" * 1_000_000
    (tmp_path / "odd").write_bytes(b"crlf\r\n\r\n\n nul\0nul\n" + long.encode() + b"\n\ttab")
    assert ingest(tmp_path / "odd").exit_code == 0
    assert peer.lines() == ["crlf", " nul\0nul", long, "\ttab"]


def test_standard_input(ingest, peer):
    assert ingest("-", stdin=b"a\nb").exit_code == 0
    assert {key[0] for key in peer.kept} == {'{source="stdin"}'}
    assert peer.lines() == ["a", "b"]


def test_a_pipe_is_not_kept_waiting(following, peer):
    command = following("-", "--service", "p", stdin=subprocess.PIPE)
    for count in (1, 2):
        command.process.stdin.write(b"line %d\n" % count)
        command.process.stdin.flush()
        took_s = peer.wait_for(count, 60)
        assert count == 1 or took_s < 1
    command.process.stdin.close()
    assert command.process.wait(20) == 0


def test_syslog_has_severity_and_facility(ingest, peer, tmp_path):
    (tmp_path / "messages").write_text(
        "<34>Oct 11 22:14:15 mymachine su: failed\n<165>1 2003-10-11T22:14:15.003Z h app - ID47 - m\n"
    )
    assert ingest(tmp_path / "messages").exit_code == 0
    assert [kept for _, kept in sorted(peer.kept.items(), key=lambda item: item[0][1])] == [
        {"severity": "notice", "facility": "local4"},
        {"severity": "crit", "facility": "auth"},
    ]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_tried_again(ingest, peer, tmp_path, status):
    peer.answers.extend([(status, "too busy")] * 2)
    (tmp_path / "a").write_text("x\n")
    done = ingest(tmp_path / "a")
    assert done.exit_code == 0
    assert done.stderr.count("too busy; trying again") == 1
    assert peer.lines() == ["x"]


def test_a_server_that_is_not_there_yet_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    peers = []
    timer = threading.Timer(1.0, lambda: peers.append(PushPeer(port)))
    ask = shipping.Shipper._answer

    def ask_and_start(*arguments):
        timer.start()
        return ask(*arguments)

    monkeypatch.setattr(shipping.Shipper, "_answer", ask_and_start)
    (tmp_path / "a").write_text("x\n")
    done = CliRunner().invoke(app, ["ingest", "logs", str(tmp_path / "a"), "--url", f"http://127.0.0.1:{port}"])
    timer.join()
    peers[0].close()
    assert (done.exit_code, "cannot be reached" in done.stderr, peers[0].lines()) == (0, True, ["x"])


def test_patience_has_an_end(ingest, peer, tmp_path, monkeypatch):
    monkeypatch.setattr("swarmscope.app.ingestion.command.PATIENCE_S", 0.1)
    peer.answers.extend([(503, "away")] * 5)
    (tmp_path / "a").write_text("x\n")
    done = ingest(tmp_path / "a")
    assert (done.exit_code, "away" in done.stderr, "0 lines sent" in done.stderr) == (1, True, True)
    peer.answers.clear()
    assert "1 lines sent" in ingest(tmp_path / "a").stderr


@pytest.mark.parametrize(("status", "words"), [(401, "wants a token"), (404, "takes no logs"), (403, "no")])
def test_what_cannot_get_better_ends_the_command(ingest, peer, tmp_path, status, words):
    peer.answers.append((status, "no"))
    (tmp_path / "a").write_text("x\n")
    done = ingest(tmp_path / "a")
    assert (done.exit_code, words in done.stderr) == (1, True)


def test_refused_lines_are_counted_by_reason(ingest, peer, tmp_path, monkeypatch):
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 8)
    peer.answers.append((400, 'too old: 1 is before 7, in {a="b"} (1 line)\nline too long: 9 bytes (1 line)'))
    peer.answers.append((400, 'too old: 2 is before 8, in {a="c"} (2 lines)'))
    peer.answers.append((400, "something else"))
    (tmp_path / "a").write_text("111\n222\n333\n444\n555\n666\n777\n888\n")
    done = ingest(tmp_path / "a")
    assert done.exit_code == 1
    assert done.stderr.count("refused: too old") == 1 + 1  # once as it is met, once in the summary
    assert "3 lines refused: too old" in done.stderr
    assert "1 lines refused: line too long" in done.stderr
    assert "2 lines refused: something else" in done.stderr
    assert "2 lines sent" in done.stderr
    assert "0 lines sent" in ingest(tmp_path / "a").stderr


def test_a_request_that_is_too_large_goes_in_parts(ingest, peer, tmp_path):
    peer.max_lines = 3
    lines = _numbered(0, 10)
    (tmp_path / "a").write_text(_text(lines))
    assert ingest(tmp_path / "a").exit_code == 0
    assert peer.lines() == lines


@pytest.mark.parametrize("url", ["nonsense", "ftp://x"])
def test_what_is_no_url_is_told(tmp_path, monkeypatch, url):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "a").write_text("x\n")
    done = CliRunner().invoke(app, ["ingest", "logs", str(tmp_path / "a"), "--url", url])
    assert (done.exit_code, "is not a URL" in done.stderr) == (1, True)


@pytest.mark.parametrize("arguments", [["--format", "xml"], ["--label", "noequals"], ["--label", "1a=b"]])
def test_what_is_asked_wrongly(ingest, tmp_path, arguments):
    (tmp_path / "a").write_text("x\n")
    assert ingest(tmp_path / "a", *arguments).exit_code == 2


def test_positions_that_cannot_be_kept_are_told(ingest, peer, tmp_path):
    (tmp_path / "a").write_text("x\n")
    (tmp_path / "state").write_text("no folder")
    done = ingest(tmp_path / "a")
    assert (done.exit_code, "positions are not remembered" in done.stderr, peer.lines()) == (0, True, ["x"])


def test_a_file_that_was_replaced_or_truncated_while_away(ingest, peer, tmp_path):
    file = tmp_path / "app.log"
    file.write_text("first\nsecond\n")
    ingest(file)
    file.write_text("3rd\n")  # the same inode, shorter
    ingest(file)
    file.write_text("fourth\nfifth\nsixth\n")  # the same inode, longer, other content
    ingest(file)
    file.rename(tmp_path / "app.log.1")
    with (tmp_path / "app.log.1").open("a") as old:
        old.write("seventh\n")
    file.write_text("eighth\n")
    done = ingest(file)
    assert "whose rest is read first" in done.stderr
    assert peer.lines() == ["first", "second", "3rd", "fourth", "fifth", "sixth", "seventh", "eighth"]


def test_following_through_growth_rotation_and_truncation(following, peer, tmp_path):
    file = tmp_path / "app.log"
    file.write_text("1\n2")
    command = following(file, "--follow")
    peer.wait_for(1, 60)
    with file.open("a") as more:
        more.write("2\n3\n")
        more.flush()
        assert peer.wait_for(3) < 1.5
        file.rename(tmp_path / "app.log.1")
        more.write("4\n")
        more.flush()
        peer.wait_for(4)
        more.write("5 without an end")
    file.write_text("6\n")
    peer.wait_for(6)
    os.truncate(file, 0)
    time.sleep(0.6)
    with file.open("a") as more:
        more.write("7\n8\n")
    peer.wait_for(8)
    file.write_text("9 longer than it was\n")
    peer.wait_for(9)
    code, words, took_s = command.end()
    assert (code, took_s < 3) == (0, True)
    assert "9 lines sent" in words
    assert peer.lines() == ["1", "22", "3", "4", "5 without an end", "6", "7", "8", "9 longer than it was"]


def test_following_waits_for_a_file_and_for_its_server(following, peer, tmp_path):
    command = following(tmp_path / "late.log", "--follow")
    time.sleep(2)
    peer.answers.extend([(503, "away")] * 3)
    (tmp_path / "late.log").write_text("x\n")
    peer.wait_for(1, 60)
    assert command.end(signal.SIGTERM)[0] == 0


def test_following_joins_what_belongs_together(following, peer, tmp_path):
    file = tmp_path / "app.log"
    file.write_text("a\nTraceback (most recent call last)\n")
    following(file, "--follow", "--multiline")
    time.sleep(0.5)
    with file.open("a") as more:
        more.write("  File x\nKeyError: 1\n")
    peer.wait_for(1, 60)
    time.sleep(1.5)
    assert peer.lines() in (["a\nTraceback (most recent call last)\n  File x\nKeyError: 1"],)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM][: portion(3, 1)])
def test_after_an_interruption_no_line_is_missing_and_none_is_there_twice(following, ingest, peer, tmp_path, number):
    lines = [
        f"{'2026-01-02T03:04:05Z ' if row % 3 != 2 else ''}line {row:07d} {'x' * 60}"
        for row in range(portion(400_000, 150_000))
    ]
    (tmp_path / "app.log").write_text(_text(lines))
    peer.pause_s = 0.3
    command = following(tmp_path / "app.log")
    peer.wait_for(1, 60)
    code, words, took_s = command.end(number)
    assert took_s < 8
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    assert number == signal.SIGKILL or "lines sent" in words
    assert 0 < len(peer.kept) < len(lines)
    peer.pause_s = 0
    time.sleep(0.5)
    assert ingest(tmp_path / "app.log").exit_code == 0
    assert len(peer.kept) == len(lines)
    assert peer.lines() == lines


def test_an_answer_that_never_comes_does_not_keep_the_command(following, peer, tmp_path):
    (tmp_path / "a").write_text("x\n")
    peer.pause_s = 30
    command = following(tmp_path / "a")
    peer.wait_for_request()
    code, words, took_s = command.end()
    assert (code, took_s < 8) == (130, True), words
    assert shipping.PATIENCE_S > 30

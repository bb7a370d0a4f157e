import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from swarmscope import sdk
from swarmscope.sdk.intelligence.sources import read_folder, to_source
from tests.sdk.otlp_receiver import dead_port


def _write(path, content, mtime_s=1000):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    os.utime(path, (mtime_s, mtime_s))


def test_newest_file_of_a_folder(tmp_path):
    _write(tmp_path / "b.json", {"optimization": 2}, 2000)
    _write(tmp_path / "a.json", {"optimization": 1}, 1000)
    _write(tmp_path / "z.txt", "no", 3000)
    assert read_folder(tmp_path).state == {"optimization": 2}


def test_file_for_each_property(tmp_path):
    _write(tmp_path / "modules.json", [{"name": "m", "activity": 1}])
    _write(tmp_path / "coherence_by_region.json", {"x": 0.5}, 1500)
    _write(tmp_path / "other.json", {"optimization": 2}, 2000)
    first = to_source(tmp_path)()
    assert first.state == {"modules": [{"name": "m", "activity": 1}], "coherence_by_region": {"x": 0.5}}
    assert to_source(str(tmp_path))().revision == first.revision
    _write(tmp_path / "modules.json", [{"name": "m", "activity": 1}], 1600)
    assert to_source(tmp_path)().revision != first.revision


@pytest.mark.parametrize(
    ("content", "words"), [(None, r"has no \*\.json file"), ("{", "is not JSON"), ("\ud800", "is not JSON")]
)
def test_folder_without_a_state(tmp_path, content, words):
    if content is not None:
        (tmp_path / "x.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(sdk.BrainStateError, match=words):
        read_folder(tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(sdk.BrainStateError, match="is not a folder"):
        read_folder(tmp_path / "none")


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"optimization": 3, "key": self.headers.get("x-key")}).encode()
        self.send_response(200 if self.path == "/state" else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_): ...


def test_endpoint():
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        assert to_source(f"{url}/state", headers={"X-Key": "k"})().state == {"optimization": 3, "key": "k"}
        with pytest.raises(sdk.BrainStateError, match="404"):
            to_source(f"{url}/other")()
    finally:
        server.shutdown()
        server.server_close()


def test_endpoint_that_is_away():
    with pytest.raises(sdk.BrainStateError, match="cannot be read"):
        to_source(f"http://127.0.0.1:{dead_port()}", timeout_s=1)()

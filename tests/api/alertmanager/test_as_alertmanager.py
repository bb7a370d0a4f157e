"""The same requests to Debian's Alertmanager and to us: the same status, and the same body but for times and ids."""

import json
import re
import shutil
import subprocess
import time

import httpx
import pytest

from tests.api.alertmanager.served import served, small_house
from tests.integration.processes import free_port

pytestmark = pytest.mark.skipif(shutil.which("prometheus-alertmanager") is None, reason="needs Alertmanager")
CONFIG = """
route: {receiver: team, group_by: [alertname]}
receivers: [{name: team}, {name: page}]
"""
JSON = {"content-type": "application/json"}
LATER = '"startsAt":"2040-01-01T00:00:00Z","endsAt":"2041-01-01T00:00:00Z","createdBy":"me","comment":"why"'
MATCHER = '{"name":"a","value":"b","isRegex":false}'
NOBODY = "bfc4d2d8-9d6a-4cb4-9d6c-000000000000"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "am.yml").write_text(CONFIG)
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        ["prometheus-alertmanager", f"--config.file={folder}/am.yml", f"--storage.path={folder}/data",
         f"--web.listen-address={address}", "--cluster.listen-address=", "--log.level=error"],
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://{address}/-/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.02)
        with httpx.Client(base_url=f"http://{address}") as client:
            yield client
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def ours():
    with served(small_house()) as client:
        client.base_url = "http://testserver/alertmanager/"
        yield client


def _told(answer, *, loose=False):
    """Status and body; ids and times are blanked, and with `loose` the words of a parser's complaint."""
    text = answer.text.strip().replace("[POST,GET]", "[GET,POST]")  # theirs is in no order
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "<id>", text)
    text = re.sub(r"202[5-9]-\d\d-\d\dT[0-9:.]+Z", "<now>", text).replace("/alertmanager/api", "/api")
    # What Alertmanager was told in another zone it shows in that zone, and we in UTC.
    text = text.replace("2020-02-03T04:05:06.123+02:00", "2020-02-03T02:05:06.123Z")
    if loose:
        text = re.sub(r'(because |error parsing regexp: )(\\"|[^"])*', r"\1<why>", text)
    found = json.loads(text) if text.startswith(("[", "{", '"')) else text
    return answer.status_code, found


def _without_new_fields(told):
    """What releases after Debian's have added: `mutedBy`, `routeLabels`."""
    status, body = told
    text = json.dumps(body, sort_keys=True).replace('"mutedBy": [], ', "").replace('"routeLabels": {}, ', "")
    return status, re.sub(r', "routeLabels": \{\}', "", text)


ALERTS = [
    "", "[{", "{}", "7", "null", "[]", "[{}]", '[{"labels":null}]', '[{"labels":{}}]', '[{"labels":{"a":1}}]',
    '[{"labels":{"a":"1"}},{"annotations":{}}]', '[{"labels":[]}]', '[3]', '[{"labels":{"a":"1"},"startsAt":"foo"}]',
    '[{"labels":{"a":"1"},"startsAt":7}]', '[{"labels":{"a":""}}]', '[{"labels":{"":"x"}}]',
    '[{"labels":{"a":"1"},"generatorURL":"no url"}]', '[{"labels":{"a":"1"},"generatorURL":"/a"}]',
    '[{"labels":{"a":"1"},"generatorURL":"http://x/y?z=%20#a b"}]', '[{"labels":{"a":"1"},"generatorURL":3}]',
    '[{"labels":{"a":"1"},"startsAt":"2040-01-01T00:00:00Z","endsAt":"2020-01-01T00:00:00Z"}]',
    '[{"labels":{}},{"labels":{"b":""}},{"labels":{"good":"1"}}]',
    '[{"labels":{"a":"1","b":"2"},"annotations":{"c":null},"more":3}]',
]  # fmt: skip
SILENCES = [
    "", "{", "[]", "{}", '{"comment":"x"}', '{"comment":"x","createdBy":"y"}',
    '{"comment":"x","createdBy":"y","endsAt":"2040-01-01T00:00:00Z"}', f'{{"matchers":[],{LATER}}}',
    f'{{"matchers":null,{LATER}}}', f'{{"matchers":{{}},{LATER}}}', f'{{"matchers":[{{}}],{LATER}}}',
    f'{{"matchers":[{{"isRegex":true}}],{LATER}}}', f'{{"matchers":[{{"isRegex":true,"name":"a"}}],{LATER}}}',
    f'{{"matchers":[{{"isRegex":"yes","name":"a","value":"b"}}],{LATER}}}',
    f'{{"matchers":[{{"isRegex":false,"name":"","value":"b"}}],{LATER}}}',
    f'{{"matchers":[{{"isRegex":false,"name":"a","value":""}}],{LATER}}}',
    f'{{"matchers":[{{"isRegex":true,"name":"a","value":".*"}}],{LATER}}}',
    f'{{"matchers":[{{"isRegex":false,"isEqual":false,"name":"a","value":"b"}}],{LATER}}}',
    f'{{"matchers":[{{"isRegex":true,"name":"a","value":"("}}],{LATER}}}',
    f'{{"matchers":[{MATCHER}],"id":"{NOBODY}",{LATER}}}', f'{{"matchers":[{MATCHER}],{LATER}}}',
    f'{{"matchers":[{MATCHER}],"startsAt":"2040-01-01T00:00:00Z","endsAt":"2039-01-01T00:00:00Z","createdBy":"","comment":""}}',
    f'{{"matchers":[{MATCHER}],"startsAt":"2010-01-01T00:00:00Z","endsAt":"2011-01-01T00:00:00Z","createdBy":"","comment":""}}',
    f'{{"matchers":[{MATCHER}],"startsAt":"x","endsAt":"2011-01-01T00:00:00Z","createdBy":"","comment":""}}',
]  # fmt: skip
GETS = [
    "/api/v2/receivers", "/api/v2/nothing", "/api/v2/alerts?filter=b", "/api/v2/alerts/groups?filter=b",
    "/api/v2/silences?filter=b", "/api/v2/alerts?filter=a%3D~%28",
    "/api/v2/silence/x", f"/api/v2/silence/{NOBODY}", "/api/v2/alerts?receiver=nobody", "/-/healthy", "/-/ready",
]  # fmt: skip


@pytest.mark.parametrize("body", ALERTS)
def test_posted_alerts(theirs, ours, body):
    said = [_told(client.post("api/v2/alerts", content=body, headers=JSON), loose=True) for client in (ours, theirs)]
    assert said[0] == said[1]


@pytest.mark.parametrize("body", SILENCES)
def test_posted_silences(theirs, ours, body):
    said = [_told(client.post("api/v2/silences", content=body, headers=JSON), loose=True) for client in (ours, theirs)]
    assert said[0] == said[1]


@pytest.mark.parametrize("path", GETS)
def test_questions(theirs, ours, path):
    said = [_told(client.get(path.lstrip("/")), loose=True) for client in (ours, theirs)]
    assert said[0] == said[1]


@pytest.mark.parametrize(("method", "path", "headers"), [
    ("PUT", "alerts", JSON), ("DELETE", "status", {}), ("POST", "alerts/groups", JSON), ("POST", "receivers", JSON),
    ("POST", "alerts", {"content-type": "text/plain"}), ("POST", "silences", {}), ("DELETE", "silence/x", {}),
])  # fmt: skip
def test_misuses(theirs, ours, method, path, headers):
    said = [
        _told(client.request(method, f"api/v2/{path}", content=b"[]" if method != "DELETE" else None, headers=headers))
        for client in (ours, theirs)
    ]
    assert said[0] == said[1]


def test_a_round(theirs, ours):
    """Two alerts, found by filters; a silence, listed, found, ended."""
    body = json.dumps([
        {"labels": {"alertname": "one", "kind": "x", "round": "1"}, "annotations": {"summary": "s"},
         "startsAt": "2020-02-03T04:05:06.123456789+02:00", "endsAt": "2040-01-01T00:00:00Z", "generatorURL": "http://g"},
        {"labels": {"alertname": "two", "round": "1"}, "endsAt": "2040-01-01T00:00:00Z",
         "startsAt": "2020-02-03 04:05:06"},
        {"labels": {"alertname": "over", "round": "1"}, "endsAt": "2021-01-01T00:00:00Z"},
    ])  # fmt: skip
    silence = f'{{"matchers":[{{"name":"round","value":"1|2","isRegex":true,"isEqual":true}}],{LATER}}}'
    said = []
    for client in (ours, theirs):
        told = [_told(client.post("api/v2/alerts", content=body, headers=JSON))]
        for filters in ('filter=round="1"', "filter=round=1&filter=kind=", "filter=round=1&filter=kind!=",
                        "filter=round=1&filter=kind=~x%7Cy", "filter=round=1&active=false",
                        "filter=round=1&active=nonsense", "filter=round=1&receiver=te.%2B"):  # fmt: skip
            told += [_without_new_fields(_told(client.get(f"api/v2/alerts?{filters}")))]
            told += [_without_new_fields(_told(client.get(f"api/v2/alerts/groups?{filters}")))]
        made = client.post("api/v2/silences", content=silence, headers=JSON).json()["silenceID"]
        told += [_told(client.get(f"api/v2/silence/{made}"))]
        told += [
            _told(client.get('api/v2/silences?filter=round=~"1|2"')),
            _told(client.get("api/v2/silences?filter=round=1")),
        ]
        told += [_told(client.delete(f"api/v2/silence/{made}")), _told(client.get(f"api/v2/silence/{made}"))]
        said.append(told)
    for one, other in zip(*said, strict=True):
        assert one == other

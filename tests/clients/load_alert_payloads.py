"""Loads payloads with the classes of vendors' SDKs. In: JSON lines of {kind, payload}; out: what the SDK made of each.

Runs in the virtual environment of `alert_python_clients`.
"""

import json
import sys
from types import SimpleNamespace

import opsgenie_sdk
import pagerduty
import pdpyras
from slack_sdk.models.attachments import Attachment, AttachmentField
from slack_sdk.models.blocks import Block
from slack_sdk.models.messages.message import Message


def opsgenie(model, payload):
    client = opsgenie_sdk.ApiClient()
    made = client.deserialize(SimpleNamespace(data=json.dumps(payload)), model)
    return client.sanitize_for_serialization(made)


def slack(payload):
    """The message as the SDK's own classes print it."""
    blocks = Block.parse_all(payload.get("blocks", []))
    for block in blocks:
        block.validate_json()
    attachments = []
    for given in payload.get("attachments", []):
        known = {name: value for name, value in given.items() if name in Attachment.attributes}
        fields = [AttachmentField(**field) for field in given.get("fields", [])]
        attachment = Attachment(**{**known, "text": given.get("text", ""), "fields": fields})
        attachment.validate_json()
        attachments.append(attachment.to_dict())
    message = Message(text=payload.get("text", ""), blocks=blocks)
    return {"attachments": attachments, "blocks": [block.to_dict() for block in blocks], "text": message.text}


def _captured(session_module, payload):
    """The body that an SDK posts when it is told the same."""
    sent = []

    class Answer:
        ok = is_success = True
        status_code = 202

        def json(self):
            return {"status": "success", "dedup_key": payload["dedup_key"]}

    if session_module is pdpyras:
        session = pdpyras.EventsAPISession(payload["routing_key"])
    else:
        session = pagerduty.EventsApiV2Client(payload["routing_key"])
    session.post = lambda url, **more: sent.append(more["json"]) or Answer()
    inner = payload["payload"]
    if payload["event_action"] == "trigger":
        session.trigger(
            inner["summary"], inner["source"], dedup_key=payload["dedup_key"], severity=inner["severity"],
            payload={"class": inner.get("class", "")} if inner.get("class") else None,
            custom_details=inner["custom_details"], images=payload.get("images"), links=payload.get("links"),
        )  # fmt: skip
    else:
        getattr(session, payload["event_action"])(payload["dedup_key"])
    body = sent[0]
    body.setdefault("routing_key", payload["routing_key"])
    return body


LOADERS = {
    "opsgenie.create": lambda payload: opsgenie("CreateAlertPayload", payload),
    "opsgenie.close": lambda payload: opsgenie("CloseAlertPayload", payload),
    "opsgenie.message": lambda payload: opsgenie("UpdateAlertMessagePayload", payload),
    "opsgenie.description": lambda payload: opsgenie("UpdateAlertDescriptionPayload", payload),
    "slack": slack,
    "pdpyras": lambda payload: _captured(pdpyras, payload),
    "pagerduty": lambda payload: _captured(pagerduty, payload),
}


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(LOADERS[asked["kind"]](asked["payload"])))


if __name__ == "__main__":
    main()

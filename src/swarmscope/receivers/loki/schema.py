"""The messages of Loki's push protocol, as protobuf descriptors made from the published field numbers.

Source: https://github.com/grafana/loki/blob/main/pkg/push/push.proto (package logproto); google.protobuf.Timestamp is
declared here as well. The scanner's schema derives from these, and so do the tests' message classes.
"""

from __future__ import annotations

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from swarmscope.receivers.wire.declared_messages import describe_messages
from swarmscope.receivers.wire.message_schema import MessageSchema

_MESSAGES = {
    "Timestamp": "seconds int64 1; nanos int32 2",
    "LabelPairAdapter": "name string 1; value string 2",
    "EntryAdapter": (
        "timestamp Timestamp 1; line string 2; structuredMetadata *LabelPairAdapter 3; parsed *LabelPairAdapter 4"
    ),
    "StreamAdapter": "labels string 1; entries *EntryAdapter 2; hash uint64 3",
    "PushRequest": "streams *StreamAdapter 1; format string 2",
}

_POOL = descriptor_pool.DescriptorPool()
describe_messages(_POOL, "logproto", _MESSAGES)
_PUSH_REQUEST = _POOL.FindMessageTypeByName("logproto.PushRequest")

ENTRY_FIELDS: dict[int, str] = {
    field.number: field.name for field in _POOL.FindMessageTypeByName("logproto.EntryAdapter").fields
}

# What the scanner sees: entries are bytes to it, which is the same on the wire; a walk of their own reads them.
describe_messages(
    _POOL,
    "outline",
    {"PushRequest": "streams *StreamAdapter 1", "StreamAdapter": "labels string 1; entries *bytes 2"},
)
SCHEMA = MessageSchema.from_descriptor(_POOL.FindMessageTypeByName("outline.PushRequest"))


def push_request_class() -> type[Message]:
    """The class of `logproto.PushRequest`, for senders and tests."""
    return message_factory.GetMessageClass(_PUSH_REQUEST)

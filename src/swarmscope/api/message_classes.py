"""Classes of protobuf messages, made from their published field numbers instead of generated code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "uint32": _Field.TYPE_UINT32,
    "sint32": _Field.TYPE_SINT32,
    "sint64": _Field.TYPE_SINT64,
    "double": _Field.TYPE_DOUBLE,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    # Enumerations travel as integers, and unknown values must survive.
    "enum": _Field.TYPE_INT32,
}

# message: (number, name, type or message, repeated)
Messages = Mapping[str, tuple[tuple[int, str, str, bool], ...]]


def declare_messages(name: str, messages: Messages, one_of: Mapping[str, str]) -> dict[str, Any]:
    """A class for each message, by name. `one_of`: fields whose presence counts, to the name of their oneof."""
    package = f"swarmscope.{name}"
    file = descriptor_pb2.FileDescriptorProto(name=f"swarmscope_{name}.proto", package=package, syntax="proto3")
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        for number, field_name, kind, repeated in fields:
            label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=number, label=label)
            if kind in _TYPES:
                field.type = _TYPES[kind]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{package}.{kind}"
            if field_name in one_of:
                groups = [group.name for group in message.oneof_decl]
                if one_of[field_name] not in groups:
                    message.oneof_decl.add(name=one_of[field_name])
                    groups.append(one_of[field_name])
                field.oneof_index = groups.index(one_of[field_name])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message_name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{message_name}"))
        for message_name in messages
    }

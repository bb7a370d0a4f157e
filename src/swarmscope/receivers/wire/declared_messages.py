"""Protobuf descriptors from short declarations of published messages, where no generated module is at hand.

The fields of a message are "name type number" with `;` between them, `*` in front of the type for repeated ones and
`/oneof` behind it for members of a oneof. A type with a capital letter is a message of the same package.
"""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf import descriptor_pb2, descriptor_pool

_Proto = descriptor_pb2.FieldDescriptorProto


def _add_field(message: descriptor_pb2.DescriptorProto, package: str, declaration: str) -> None:
    name, kind, number = declaration.split()
    kind, _, oneof = kind.partition("/")
    made = message.field.add(name=name, number=int(number), label=_Proto.LABEL_OPTIONAL)
    if kind.startswith("*"):
        kind, made.label = kind[1:], _Proto.LABEL_REPEATED
    if kind[0].isupper():
        made.type, made.type_name = _Proto.TYPE_MESSAGE, f".{package}.{kind}"
    else:
        made.type = _Proto.Type.Value(f"TYPE_{kind.upper()}")
    if oneof:
        names = [known.name for known in message.oneof_decl]
        if oneof not in names:
            message.oneof_decl.add(name=oneof)
            names.append(oneof)
        made.oneof_index = names.index(oneof)


def describe_messages(pool: descriptor_pool.DescriptorPool, package: str, messages: Mapping[str, str]) -> None:
    """Add the messages (fields by message name) to the pool, as a file of their own."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for declaration in fields.split(";"):
            _add_field(message, package, declaration)
    pool.Add(file)

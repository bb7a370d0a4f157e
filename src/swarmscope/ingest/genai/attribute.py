"""How a convention's attributes are described: which field each one fills, and what the span is by having it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto
from typing import NamedTuple

from swarmscope.model.agents import AgentOperation, Dialect, InteractionType

# Attributes that say nothing of the operation or the channel.
UNRANKED = 255


class Field(IntEnum):
    """What an attribute fills. The first ones are columns of `AgentSpans`; the others lead to such columns."""

    AGENT = 0
    AGENT_ID = auto()
    AGENT_VERSION = auto()
    TEAM = auto()
    SOURCE = auto()
    TARGET = auto()
    PROVIDER = auto()
    MODEL = auto()
    TOOL = auto()
    WORKFLOW = auto()
    ERROR_TYPE = auto()
    FINISH_REASON = auto()
    CONVERSATION = auto()
    # Texts that mean one thing or the other, by the operation.
    ENTITY = auto()  # the name of whatever the span is
    NODE = auto()  # of a graph
    METADATA = auto()  # JSON that may name such a node
    DESTINATION = auto()  # of a message
    SENDER = auto()  # of a message between agents of a runtime
    RECIPIENT = auto()
    ARGUMENTS = auto()  # of a tool call
    INPUT = auto()
    OUTPUT = auto()  # messages of a model
    RESULT = auto()  # of any step; of a model's call it is the whole answer of the API, with ids, or next to nothing
    # Numbers.
    INPUT_TOKENS = auto()
    OUTPUT_TOKENS = auto()
    CACHED_TOKENS = auto()
    CACHE_WRITE_TOKENS = auto()
    REASONING_TOKENS = auto()
    TOTAL_TOKENS = auto()
    COST = auto()  # USD
    INPUT_COST = auto()
    OUTPUT_COST = auto()
    PAYLOAD_BYTES = auto()
    # Others.
    SUCCESS = auto()  # a bool: false is an error
    NOTHING = auto()  # the attribute only says what the span is


N_TEXTS = int(Field.ENTITY)
N_FIELDS = len(Field)


class Meaning(NamedTuple):
    """What a span is by one attribute, or by a value of it."""

    operation: AgentOperation = AgentOperation.NONE
    channel: InteractionType = InteractionType.NONE


class Attribute(NamedTuple):
    """One attribute of a convention.

    Of several attributes that fill a field the one with the lowest `rank` does. `meaning` holds where the value is
    not among `values`; of all attributes the one with the lowest `says_rank` decides the operation, and so it is
    with the channel.
    """

    name: str
    field: Field
    rank: int = 0
    meaning: Meaning = Meaning()
    says_rank: int = UNRANKED
    values: Mapping[str, Meaning] = {}
    votes: bool = True  # whether having it tells the convention; names that several share do not


class Convention(NamedTuple):
    """The attributes of one convention."""

    dialect: Dialect
    attributes: tuple[Attribute, ...]


def named(field: Field, *names: str, rank: int = 0, votes: bool = True) -> tuple[Attribute, ...]:
    """Attributes that fill a field and say nothing else, the best one first."""
    return tuple(Attribute(name, field, rank + place, votes=votes) for place, name in enumerate(names))

"""Names that no attribute says outright: in the span's own name, in a graph's node, in a message's destination.

The rules follow what the instrumentations write, which `docs/agents-vocabulary.md` lists.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.attribute import Field
from swarmscope.ingest.genai.reading import NO_PAIR, Pairs, Told
from swarmscope.ingest.genai.scope_traits import Trait
from swarmscope.ingest.genai.slices import IN_NAMES, IN_VALUES, NOWHERE, Piece, Slices, begins_with, ends_with, put
from swarmscope.model.agents import AgentOperation, Dialect, InteractionType
from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.byte_search import find_bytes
from swarmscope.model.raw_memory import Int, address_of, load_u8
from swarmscope.model.spans import SpanKind

_AGENT, _TOOL, _WORKFLOW = int(Field.AGENT), int(Field.TOOL), int(Field.WORKFLOW)
_SOURCE, _TARGET, _MODEL = int(Field.SOURCE), int(Field.TARGET), int(Field.MODEL)
_CONVERSATION = int(Field.CONVERSATION)
_ENTITY, _NODE, _METADATA = int(Field.ENTITY), int(Field.NODE), int(Field.METADATA)
_DESTINATION, _SENDER, _RECIPIENT = int(Field.DESTINATION), int(Field.SENDER), int(Field.RECIPIENT)
_INPUT = int(Field.INPUT)
_INPUT_TOKENS, _OUTPUT_TOKENS = int(Field.INPUT_TOKENS), int(Field.OUTPUT_TOKENS)
_GRAPH, _CREW, _AGENTS_SDK = int(Trait.GRAPH), int(Trait.CREW), int(Trait.AGENTS_SDK)
_HANDOFF_TOOLS, _RUNTIME = int(Trait.HANDOFF_TOOLS), int(Trait.RUNTIME)
_NONE, _CHAT, _CHAIN = int(AgentOperation.NONE), int(AgentOperation.CHAT), int(AgentOperation.CHAIN)
_CREATE, _INVOKE = int(AgentOperation.CREATE_AGENT), int(AgentOperation.INVOKE_AGENT)
_RUN, _CALL_TOOL = int(AgentOperation.INVOKE_WORKFLOW), int(AgentOperation.EXECUTE_TOOL)
_HANDOFF, _TELL = int(AgentOperation.HANDOFF), int(AgentOperation.MESSAGE)
_BY_CALL, _BY_HANDOFF = int(InteractionType.CALL), int(InteractionType.HANDOFF)
_BY_MESSAGE = int(InteractionType.MESSAGE)
_OPENINFERENCE, _OPENLLMETRY = int(Dialect.OPENINFERENCE), int(Dialect.OPENLLMETRY)
_CONSUMER = int(SpanKind.CONSUMER)
_COLON, _BAR, _QUOTE, _DOT, _UNDERSCORE, _DASH = (ord(letter) for letter in ':|"._-')
_UUID_BYTES = 36
_DASHES = (8, 13, 18, 23)


def _word(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


_HANDOFF_TO, _TRANSFER_TO = _word("handoff to "), _word("transfer_to_")
_INVOKE_AGENT, _CREATE_AGENT = _word("invoke_agent "), _word("create_agent ")
_EXECUTE_TOOL, _INVOKE_WORKFLOW = _word("execute_tool "), _word("invoke_workflow ")
_EXECUTE_CORE, _KICKOFF = _word("._execute_core"), _word(".kickoff")
_AGENT_SUFFIX, _TOOL_SUFFIX, _WORKFLOW_SUFFIX = _word(".agent"), _word(".tool"), _word(".workflow")
_TO_AGENT, _KEY = _word(")-A"), _word(".(")
_THREAD = _word('"thread_id"')
_MAKER, _CREATE_BY = _word('"ls_integration"'), _word("langchain_create_agent")
_RUNNABLE, _CLASSES = _word("Runnable"), (_word("Parser"), _word("Template"), _word("Prompt"), _word("Model"))
_PLACE, _STEP = _word('"langgraph_checkpoint_ns"'), _word('"langgraph_node"')
# Nodes and runs that a framework names by itself; whose work they do, their ancestors say.
_GENERIC = tuple(
    _word(text)
    for text in (
        "agent", "tools", "tool", "model", "call_model", "llm", "LangGraph", "AgentExecutor", "RunnableSequence",
        "RunnableLambda", "ToolNode", "model_request", "generate_structured_response",
    )
)  # fmt: skip


class Names(NamedTuple):
    """What else is known of told spans [n_told]: the span's own name, and the traits of what instrumented it."""

    buffer: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    traits: NDArray[np.uint8]  # Trait
    kind: NDArray[np.uint8]  # SpanKind
    is_root: NDArray[np.bool_]


@njit(nogil=True, cache=True)
def name_by_operation(pairs: Pairs, names: Names, told: Told, slices: Slices) -> None:
    """Names of spans that begin with their operation, as OpenTelemetry's do, and those of OpenAI's handoffs."""
    base, values = address_of(names.buffer), address_of(pairs.buffer)
    for at in range(len(told.row)):
        start, length, operation = names.start[at], names.length[at], told.operation[at]
        if operation in (_INVOKE, _CREATE):
            word = _INVOKE_AGENT if operation == _INVOKE else _CREATE_AGENT
            _fill_behind(slices, _AGENT, at, Piece(IN_NAMES, base, start, length), word)
        elif operation == _RUN:
            _fill_behind(slices, _WORKFLOW, at, Piece(IN_NAMES, base, start, length), _INVOKE_WORKFLOW)
        elif operation == _CALL_TOOL:
            _fill_behind(slices, _TOOL, at, Piece(IN_NAMES, base, start, length), _EXECUTE_TOOL)
            if told.dialect[at] == _OPENINFERENCE and begins_with(base, start, length, _HANDOFF_TO):
                _fill_behind(slices, _TARGET, at, Piece(IN_NAMES, base, start, length), _HANDOFF_TO)
                giver = told.pair[_INPUT, at]
                if giver != NO_PAIR and slices.origin[_SOURCE, at] == NOWHERE:
                    put(slices, _SOURCE, at, Piece(IN_VALUES, values, pairs.start[giver], pairs.length[giver]))
                told.operation[at], told.channel[at] = _HANDOFF, _BY_HANDOFF


@njit(nogil=True, cache=True, inline="always")
def _fill_behind(slices: Slices, field: Int, at: Int, name: Piece, word: NDArray[np.uint8]) -> None:
    if slices.origin[field, at] == NOWHERE and begins_with(name.base, name.start, name.length, word):
        put(slices, field, at, Piece(name.origin, name.base, name.start + len(word), name.length - len(word)))


@njit(nogil=True, cache=True, inline="always")
def _fill_before(slices: Slices, field: Int, at: Int, name: Piece, word: NDArray[np.uint8]) -> None:
    if slices.origin[field, at] == NOWHERE and ends_with(name.base, name.start, name.length, word):
        put(slices, field, at, Piece(name.origin, name.base, name.start, name.length - len(word)))


@njit(nogil=True, cache=True)
def name_entities(pairs: Pairs, names: Names, told: Told, slices: Slices) -> None:
    """OpenLLMetry's entities, and its names of spans: `NAME.agent`, `NAME.tool`, `NAME.workflow`."""
    base, own = address_of(pairs.buffer), address_of(names.buffer)
    for at in range(len(told.row)):
        if told.dialect[at] != _OPENLLMETRY:
            continue
        operation, pair = told.operation[at], told.pair[_ENTITY, at]
        field = _AGENT
        if operation == _CALL_TOOL:
            field = _TOOL
        elif operation == _RUN:
            field = _WORKFLOW
        elif operation != _INVOKE:
            continue
        if slices.origin[field, at] == NOWHERE and pair != NO_PAIR:
            put(slices, field, at, Piece(IN_VALUES, base, pairs.start[pair], pairs.length[pair]))
        start, length = names.start[at], names.length[at]
        if field == _AGENT:
            _fill_before(slices, field, at, Piece(IN_NAMES, own, start, length), _AGENT_SUFFIX)
        elif field == _TOOL:
            _fill_before(slices, field, at, Piece(IN_NAMES, own, start, length), _TOOL_SUFFIX)
        else:
            _fill_before(slices, field, at, Piece(IN_NAMES, own, start, length), _WORKFLOW_SUFFIX)


@njit(nogil=True, cache=True)
def name_crews(names: Names, told: Told, slices: Slices) -> None:
    """CrewAI's `ROLE._execute_core` is an agent's work, and `CREW.kickoff` a workflow."""
    base = address_of(names.buffer)
    for at in range(len(told.row)):
        if not names.traits[at] & _CREW:
            continue
        start, length = names.start[at], names.length[at]
        if told.operation[at] == _INVOKE:
            _fill_before(slices, _AGENT, at, Piece(IN_NAMES, base, start, length), _EXECUTE_CORE)
        elif told.operation[at] == _CHAIN and ends_with(base, start, length, _KICKOFF):
            length -= len(_KICKOFF)
            # A crew without a name has its id in the name of the span: no two runs would have the same workflow.
            length -= _id_bytes(base, start, length)
            put(slices, _WORKFLOW, at, Piece(IN_NAMES, base, start, length))
            told.operation[at] = _RUN


@njit(nogil=True, cache=True)
def name_nodes(pairs: Pairs, names: Names, told: Told, slices: Slices) -> None:
    """Nodes of graphs: an agent's span has its name there; calls of models and tools have the node that makes them."""
    base = address_of(pairs.buffer)
    for at in range(len(told.row)):
        metadata, node, operation = told.pair[_METADATA, at], told.pair[_NODE, at], told.operation[at]
        if metadata != NO_PAIR and slices.origin[_CONVERSATION, at] == NOWHERE:
            begin, end = _member(base, pairs.start[metadata], pairs.length[metadata], _THREAD)
            put(slices, _CONVERSATION, at, Piece(IN_VALUES, base, begin, end - begin))
        if slices.origin[_AGENT, at] != NOWHERE:
            continue
        if not names.traits[at] & _GRAPH:
            if operation == _INVOKE and node != NO_PAIR:
                put(slices, _AGENT, at, Piece(IN_VALUES, base, pairs.start[node], pairs.length[node]))
        elif operation == _CHAIN:
            if metadata != NO_PAIR and _is_agents_graph(base, pairs, metadata, names, at):
                told.operation[at] = _INVOKE
                put(slices, _AGENT, at, Piece(IN_NAMES, address_of(names.buffer), names.start[at], names.length[at]))
        elif operation != _NONE and operation != _RUN:
            if metadata != NO_PAIR:
                _name_step(base, pairs.start[metadata], pairs.length[metadata], slices, at)
            elif node != NO_PAIR and not _is_generic(base, pairs.start[node], pairs.length[node]):
                put(slices, _AGENT, at, Piece(IN_VALUES, base, pairs.start[node], pairs.length[node]))


@njit(nogil=True, cache=True)
def _is_agents_graph(base: Int, pairs: Pairs, metadata: Int, names: Names, at: Int) -> bool:
    """Whether a step is the run of an agent that LangChain's `create_agent` made: its nodes are named like their steps,
    and what is inside a tool otherwise is named after its class.
    """
    begin, end = _member(base, pairs.start[metadata], pairs.length[metadata], _MAKER)
    if end - begin != len(_CREATE_BY) or not bytes_equal(base + begin, address_of(_CREATE_BY), len(_CREATE_BY)):
        return False
    own, start, length = address_of(names.buffer), names.start[at], names.length[at]
    begin, end = _member(base, pairs.start[metadata], pairs.length[metadata], _STEP)
    if end - begin == length and bytes_equal(base + begin, own + start, length):
        return False
    is_class = begins_with(own, start, length, _RUNNABLE)
    for word in _CLASSES:
        is_class |= ends_with(own, start, length, word)
    return not is_class and not _is_generic(own, start, length)


@njit(nogil=True, cache=True)
def _name_step(base: Int, start: Int, length: Int, slices: Slices, at: Int) -> None:
    """The innermost node that has a name of its own: of `researcher:ID|tools:ID` it is `researcher`."""
    begin, end = _member(base, start, length, _PLACE)
    while end > begin:
        place = end
        while place > begin and load_u8(base, place - 1) != _BAR:
            place -= 1
        stop = place
        while stop < end and load_u8(base, stop) != _COLON:
            stop += 1
        if stop > place and not _is_generic(base, place, stop - place):
            put(slices, _AGENT, at, Piece(IN_VALUES, base, place, stop - place))
            return
        end = place - 1
    begin, end = _member(base, start, length, _STEP)
    if end > begin and not _is_generic(base, begin, end - begin):
        put(slices, _AGENT, at, Piece(IN_VALUES, base, begin, end - begin))


@njit(nogil=True, cache=True)
def _member(base: Int, start: Int, length: Int, quoted_name: NDArray[np.uint8]) -> tuple[Int, Int]:
    """Where the text behind `"name":` begins and ends in JSON; the first one, at whatever depth; equal for none."""
    end = start + length
    at = find_bytes(base, np.int64(start), np.int64(end), address_of(quoted_name), len(quoted_name))
    if at < 0:
        return start, start
    at += len(quoted_name)
    while at < end and load_u8(base, at) != _QUOTE:
        byte = load_u8(base, at)
        if byte != _COLON and byte != ord(" "):
            return start, start
        at += 1
    begin = min(at + 1, end)
    stop = begin
    while stop < end and load_u8(base, stop) != _QUOTE:
        stop += 1
    return begin, stop


@njit(nogil=True, cache=True)
def _is_generic(base: Int, start: Int, length: Int) -> bool:
    if length == 0 or load_u8(base, start) == _UNDERSCORE:
        return True
    for word in _GENERIC:  # noqa: SIM110 - compiled code has no generators
        if len(word) == length and bytes_equal(base + start, address_of(word), length):
            return True
    return False


@njit(nogil=True, cache=True)
def name_peers(pairs: Pairs, names: Names, told: Told, slices: Slices) -> None:
    """Who gets a message of a runtime, and from whom; the span in which it is handled is the receiver's work.

    Spans in which messages are made, sent and acknowledged say no more of that, and would count them again.
    """
    base = address_of(pairs.buffer)
    for at in range(len(told.row)):
        if not names.traits[at] & _RUNTIME or names.kind[at] != _CONSUMER:
            continue
        recipient, sender, destination = (
            told.pair[_RECIPIENT, at], told.pair[_SENDER, at], told.pair[_DESTINATION, at],
        )  # fmt: skip
        if recipient != NO_PAIR:
            _put_peer(slices, _AGENT, at, base, pairs.start[recipient], pairs.length[recipient])
        elif destination != NO_PAIR:
            start, length = pairs.start[destination], pairs.length[destination]
            key = find_bytes(base, np.int64(start), np.int64(start + length), address_of(_KEY), len(_KEY))
            if key >= 0 and ends_with(base, start, length, _TO_AGENT):
                _put_peer(slices, _AGENT, at, base, start, key - start)
        if slices.origin[_AGENT, at] == NOWHERE:
            continue
        if sender != NO_PAIR:
            _put_peer(slices, _SOURCE, at, base, pairs.start[sender], pairs.length[sender])
            _copy(slices, _AGENT, _TARGET, at)
        if told.operation[at] == _NONE:
            told.operation[at] = _TELL


@njit(nogil=True, cache=True, inline="always")
def _put_peer(slices: Slices, field: Int, at: Int, base: Int, start: Int, length: Int) -> None:
    """Types of agents have the id of their team behind their names."""
    if slices.origin[field, at] == NOWHERE:
        put(slices, field, at, Piece(IN_VALUES, base, start, length - _id_bytes(base, start, length)))


@njit(nogil=True, cache=True)
def _id_bytes(base: Int, start: Int, length: Int) -> Int:
    """How many bytes at the end of a name are a UUID with what joins it to the name."""
    if length < _UUID_BYTES + 2:
        return 0
    first = start + length - _UUID_BYTES
    for place in _DASHES:
        if load_u8(base, first + place) != _DASH:
            return 0
    before = load_u8(base, first - 1)
    return _UUID_BYTES + 1 if before in (_UNDERSCORE, _DASH) else 0


@njit(nogil=True, cache=True)
def name_the_rest(names: Names, told: Told, slices: Slices) -> None:
    """What is left: names of OpenInference's agents and tools, operations that nobody said, both sides of a call."""
    base = address_of(names.buffer)
    for at in range(len(told.row)):
        start, length, traits = names.start[at], names.length[at], names.traits[at]
        if told.dialect[at] == _OPENINFERENCE:
            if told.operation[at] == _INVOKE and slices.origin[_AGENT, at] == NOWHERE:
                if traits & _AGENTS_SDK and names.is_root[at]:
                    # A trace of OpenAI's Agents SDK begins with a span for the whole run.
                    told.operation[at] = _RUN
                    put(slices, _WORKFLOW, at, Piece(IN_NAMES, base, start, length))
                elif not _is_generic(base, start, length):
                    put(slices, _AGENT, at, Piece(IN_NAMES, base, start, _before_method(base, start, length)))
            elif told.operation[at] == _CALL_TOOL and slices.origin[_TOOL, at] == NOWHERE:
                put(slices, _TOOL, at, Piece(IN_NAMES, base, start, length))
        if told.operation[at] == _NONE and slices.origin[_TOOL, at] != NOWHERE:
            told.operation[at] = _CALL_TOOL
        is_priced = told.pair[_INPUT_TOKENS, at] != NO_PAIR or told.pair[_OUTPUT_TOKENS, at] != NO_PAIR
        if told.operation[at] == _NONE and is_priced and slices.origin[_MODEL, at] != NOWHERE:
            told.operation[at] = _CHAT


@njit(nogil=True, cache=True)
def _before_method(base: Int, start: Int, length: Int) -> Int:
    """How many bytes of `ReActAgent.run` are the agent's: those before the last dot."""
    for size in range(length - 1, 0, -1):
        if load_u8(base, start + size) == _DOT:
            return size
    return length


@njit(nogil=True, cache=True)
def name_sides(buffer: NDArray[np.uint8], names: Names, told: Told, slices: Slices) -> None:
    """Tools that pass control, and who is meant where a span names one side only."""
    base = address_of(buffer)
    for at in range(len(told.row)):
        origin, start, length = slices.origin[_TOOL, at], slices.start[_TOOL, at], slices.length[_TOOL, at]
        own = address_of(names.buffer) if origin == IN_NAMES else base
        is_handoff = (
            names.traits[at] & _HANDOFF_TOOLS
            and told.operation[at] == _CALL_TOOL
            and origin != NOWHERE
            and slices.origin[_TARGET, at] == NOWHERE
            and begins_with(own, start, length, _TRANSFER_TO)
        )
        if is_handoff:
            put(slices, _TARGET, at, Piece(origin, own, start + len(_TRANSFER_TO), length - len(_TRANSFER_TO)))
            told.operation[at], told.channel[at] = _HANDOFF, _BY_HANDOFF
        if slices.origin[_SOURCE, at] == NOWHERE:
            continue
        if told.operation[at] == _INVOKE and told.channel[at] == _BY_CALL and slices.origin[_TARGET, at] == NOWHERE:
            _copy(slices, _AGENT, _TARGET, at)
        # An interaction is told by who begins it.
        if slices.origin[_AGENT, at] == NOWHERE and slices.origin[_TARGET, at] != NOWHERE:
            _copy(slices, _SOURCE, _AGENT, at)


@njit(nogil=True, cache=True, inline="always")
def _copy(slices: Slices, origin: Int, target: Int, at: Int) -> None:
    slices.origin[target, at] = slices.origin[origin, at]
    slices.start[target, at] = slices.start[origin, at]
    slices.length[target, at] = slices.length[origin, at]

import numpy as np

from swarmscope.model.agents import NO_TEXT, AgentSpans, Vocabulary
from swarmscope.store.embedded.fleet.fleet_rows import Texts, span_batch


def test_rows_are_in_order_of_their_ends_and_leave_out_what_none_of_them_says():
    words, spans = Vocabulary(), AgentSpans.blank(3)
    spans.end_ns[:], spans.span_key[:], spans.kind[1] = (30, 10, 20), (3, 1, 2), 5
    spans.agent[:] = words.code_of("a"), NO_TEXT, words.code_of("b")
    made = span_batch(spans, np.full(3, NO_TEXT, np.uint32), Texts(words), 7)
    told = made.to_pydict()
    assert (told["ts"], told["span_key"], told["kind"]) == ([10, 20, 30], [1, 2, 3], [5, 0, 0])
    assert (told["agent"], told["caller"], told["batch"]) == (["", "b", "a"], [""] * 3, [7] * 3)
    assert told["input_tokens"] == [-1] * 3
    assert not {"team", "tool", "parent_key", "content", "conversation"} & set(told)

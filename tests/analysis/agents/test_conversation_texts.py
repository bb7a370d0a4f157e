import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.analysis.agents.conversation_texts import ConversationTexts
from swarmscope.model.labels import Utf8Column


def learn(texts, pairs):
    keys = np.array([key for key, _ in pairs], np.uint64)
    texts.learn(keys, Utf8Column.from_strings([text for _, text in pairs]))


def found(texts, keys):
    return texts.column(np.array(keys, np.uint64)).to_strings()


def test_what_was_learnt_is_found_and_nothing_else():
    texts = ConversationTexts()
    learn(texts, [(7, "seven"), (0, "nothing"), (9, ""), (7, "again")])
    assert found(texts, [9, 0, 7, 8, 7]) == ["", "", "seven", "", "seven"]
    assert found(texts, []) == []


def test_a_large_table_keeps_all():
    texts = ConversationTexts()
    # Keys that differ in their lowest bits only share a place in the table.
    for begin in (1, 5000):
        learn(texts, [(key, f"text {key}") for key in range(begin, begin + 5000)])
    assert found(texts, range(1, 10_000)) == [f"text {key}" for key in range(1, 10_000)]


def test_of_too_many_those_heard_of_last_are_kept():
    texts = ConversationTexts(max_conversations=8)
    learn(texts, [(key, str(key)) for key in range(1, 5)])
    learn(texts, [(key, str(key)) for key in (5, 1, 6)])  # 1 is heard of again
    learn(texts, [(7, "7"), (8, "8")])
    assert found(texts, range(1, 9)) == ["1", "", "", "", "5", "6", "7", "8"]


def test_bytes_are_bounded():
    texts = ConversationTexts(max_bytes=40)
    learn(texts, [(1, "a" * 21), (2, "b" * 20), (3, "c" * 15), (4, "d" * 5)])
    assert found(texts, range(1, 5)) == ["", "b" * 20, "c" * 15, "d" * 5]
    learn(texts, [(5, "e")])
    assert found(texts, range(1, 6)) == ["", "", "c" * 15, "d" * 5, "e"]


@given(st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=20))
def test_the_same_as_a_dict(batches):
    texts, expected = ConversationTexts(), {0: ""}
    for keys in batches:
        learn(texts, [(key << 18, f"{key:04}" * key) for key in keys])
        expected |= {key: f"{key:04}" * key for key in keys}
        assert found(texts, [key << 18 for key in range(41)]) == [expected.get(key, "") for key in range(41)]

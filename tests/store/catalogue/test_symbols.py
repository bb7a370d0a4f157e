import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.portion import portion

from swarmscope.model.labels import Utf8Column
from swarmscope.model.series import ABSENT
from swarmscope.store.catalogue.symbols import SymbolPool, intern_texts, text_groups


def new_pool() -> SymbolPool:
    return SymbolPool(np.array([3, 5], np.uint64))


def intern(pool: SymbolPool, texts: list[str], groups: list[int] | None = None) -> list[int]:
    column = Utf8Column.from_strings(texts)
    pool.reserve(len(texts), int(column.length.sum()))
    codes = np.full(len(texts), -7, np.int32)
    intern_texts(pool.tables, text_groups(column, np.array(groups or [0, len(texts)])), codes)
    pool.publish()
    return codes.tolist()


def test_codes_are_dense_and_stable():
    pool = new_pool()
    assert intern(pool, ["a", "b", "a", "", "é"]) == [0, 1, 0, 2, 3]
    assert intern(pool, ["é", "c"]) == [3, 4]
    assert [pool.text(code) for code in range(5)] == ["a", "b", "", "é", "c"]
    assert pool.code("b") == 1
    assert pool.code("nowhere") == ABSENT
    assert pool.code("\ud800") == ABSENT
    assert pool.add("c") == 4


@pytest.mark.parametrize("code", [-1, 1, 2**31])
def test_text_of_a_code_never_given_out(code):
    pool = new_pool()
    intern(pool, ["a"])
    with pytest.raises(IndexError):
        pool.text(code)


def test_what_is_not_published_is_not_seen():
    pool = new_pool()
    intern(pool, ["a"])
    pool.add("later")
    assert pool.code("later") == ABSENT
    pool.publish()
    assert pool.code("later") == 1


def test_bytes_that_are_not_utf8_are_kept_and_shown_with_replacements():
    pool = new_pool()
    column = Utf8Column(np.frombuffer(b"a\xff", np.uint8), np.array([0]), np.array([2]))
    pool.reserve(1, 2)
    intern_texts(pool.tables, text_groups(column, np.array([0, 1])), np.empty(1, np.int32))
    pool.publish()
    assert pool.text(0) == "a�"


@settings(deadline=None, max_examples=portion(60, 20))
@given(st.lists(st.lists(st.lists(st.text(max_size=12), max_size=5), max_size=8), max_size=6))
def test_like_a_dict(batches):
    pool, expected = new_pool(), {}
    for groups in batches:
        texts = [text for group in groups for text in group]
        offsets = np.cumsum([0, *map(len, groups)]).tolist()
        codes = intern(pool, texts, offsets)
        assert codes == [expected.setdefault(text, len(expected)) for text in texts]
    for text, code in expected.items():
        assert pool.code(text) == code
        assert pool.text(code) == text


def test_growth_over_many_symbols():
    pool = new_pool()
    texts = [f"value-{index}" for index in range(50_000)]
    for begin in range(0, 50_000, 7_000):
        intern(pool, texts[begin : begin + 7_000])
    assert [pool.code(text) for text in texts[::997]] == list(range(0, 50_000, 997))

"""Hashes of contents: equal for the same, near for what is nearly the same."""

from __future__ import annotations

from tests.ingest.genai.normalised import NORMALISER, span

from swarmscope.testing.plain_spans import to_batch

TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
CHAT = {"gen_ai.operation.name": "chat"}


def hashes(*attributes):
    found = NORMALISER.normalise(to_batch([span(told, number=n + 1) for n, told in enumerate(attributes)]))
    return found.content.tolist(), found.similarity.tolist()


def calls(*arguments):
    return hashes(*(TOOL | {"gen_ai.tool.call.arguments": text} for text in arguments))


def distance(left: int, right: int) -> int:
    return (left ^ right).bit_count()


def test_the_same_is_equal_and_all_else_is_not():
    content, similarity = calls('{"q": "ants"}', '{"q": "ants"}', '{"q": "bees"}')
    assert content[0] == content[1] != content[2]
    assert similarity[0] == similarity[1] != similarity[2]
    assert 0 not in content + similarity


def test_spelling_of_json_is_not_content_for_the_similarity():
    content, similarity = calls('{"q": "ants"}', '{"q":"ants"}')
    assert content[0] != content[1]
    assert similarity[0] == similarity[1]


def test_near_texts_differ_in_few_bits_and_others_in_half():
    words = [f"word{n}" for n in range(60)]
    other = [f"term{n}" for n in range(60)]
    changed = [*words[:30], "new", *words[31:]]
    _, (one, near, far) = calls(" ".join(words), " ".join(changed), " ".join(other))
    assert distance(one, near) <= 12
    assert 18 <= distance(one, far) <= 46


def test_one_word_is_its_own_hash():
    _, (one, same, other) = calls("ants", " ants!", "bees")
    assert one == same
    assert distance(one, other) > 10


def test_texts_without_words_have_a_hash_and_no_similarity():
    content, similarity = calls("{}", "...", "{}")
    assert content[0] == content[2] != 0
    assert similarity == [0, 0, 0]


def test_what_stands_for_a_step():
    asked, answered = {"gen_ai.input.messages": "question"}, {"gen_ai.output.messages": "answer"}
    invoke = {"gen_ai.operation.name": "invoke_agent"}
    content, _ = hashes(
        CHAT | asked | answered,
        CHAT | answered,
        CHAT | asked,
        invoke | asked | answered,
        invoke | answered,
        CHAT,
        asked,
    )
    assert content[0] == content[1] == content[4]
    assert content[2] == content[3] != content[0]
    assert content[5] == content[6] == 0


def test_only_the_beginning_counts_for_the_similarity():
    beginning = " ".join(f"word{n}" for n in range(100))
    assert len(beginning) > 512
    content, similarity = calls(beginning + " ants", beginning + " bees")
    assert content[0] != content[1]
    assert similarity[0] == similarity[1]


def test_payloads():
    found = NORMALISER.normalise(to_batch([
        span(TOOL | {"gen_ai.tool.call.arguments": "12345", "gen_ai.tool.call.result": "1234567"}, number=1),
        span(TOOL | {"gen_ai.tool.call.arguments": "12345", "payload.size": 99}, number=2),
        span(TOOL, number=3),
        span({"input.value": "12345"}, number=4),
    ]))  # fmt: skip
    assert found.payload_bytes.tolist() == [5, 99, -1, -1]

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.receivers.loki.label_text import LabelTextError, parse_label_text, to_label_text


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{}", {}),
        (' { a = "x" , b="y", } ', {"a": "x", "b": "y"}),
        ("{a=`x\\n`}", {"a": "x\\n"}),
        (r'{a="\"\\\n\t\x41\101\u00e9\U0001F600"}', {"a": '"\\\n\tAAé\U0001f600'}),
        (r'{a="\xc3\xa9\xff"}', {"a": "é\ufffd"}),
        ('{empty="", _a1="z"}', {"_a1": "z"}),
        ('{a="{b=\\"c\\"}, d"}', {"a": '{b="c"}, d'}),
        ('{ü_="x"}', None),
        ('{a="x"', None),
        ('{a="x" b="y"}', None),
        ('{a="x"}}', None),
        ('{1a="x"}', None),
        ('{a.b="x"}', None),
        ('{a!="x"}', None),
        ('{a=~"x"}', None),
        ("{a='x'}", None),
        ('{a="x\n"}', None),
        (r'{a="\q"}', None),
        (r'{a="\ud800"}', None),
        ('{a="1",a="2"}', None),
        ('a="1"', None),
        ("", None),
    ],
)
def test_texts(text: str, labels: dict[str, str] | None) -> None:
    if labels is not None:
        assert parse_label_text(text) == labels
        return
    with pytest.raises(LabelTextError) as caught:
        parse_label_text(text)
    assert f"error parsing labels '{text}' with error: 1:" in str(caught.value)


@given(st.dictionaries(st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True), st.text(min_size=1), max_size=4))
def test_values_that_are_quoted_come_back(labels: dict[str, str]) -> None:
    inside = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
    # JSON's pairs of surrogates are no escapes of Go's.
    if "\\ud" not in inside:
        assert parse_label_text(f"{{{inside}}}") == labels


def test_long_labels_are_cut_in_messages() -> None:
    with pytest.raises(LabelTextError) as caught:
        parse_label_text('{a="' + "x" * 10_000)
    assert len(str(caught.value)) < 500
    assert to_label_text({"b": 'x"\n', "a": "1"}) == '{a="1", b="x\\"\\n"}'

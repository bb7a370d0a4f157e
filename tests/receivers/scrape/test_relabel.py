"""Every relabelling action; expected values by hand, the hash by an independent computation."""

from __future__ import annotations

import hashlib
import struct

import pytest

from swarmscope.receivers.scrape.config_model import RelabelConfig
from swarmscope.receivers.scrape.relabel import apply_relabelling, compile_anchored, expand


def relabel(labels, *rules):
    """The labels after the rules, None where they are dropped."""
    labels = dict(labels)
    kept = apply_relabelling(labels, [RelabelConfig.model_validate(rule).to_rule("utf8") for rule in rules])
    return labels if kept else None


BASE = {"a": "foo", "b": "bar", "c": "baz"}


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        (
            {"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "ch${1}-ch$1"},
            {"d": "choo-choo"},
        ),
        ({"source_labels": ["a", "b"], "target_label": "d"}, {"d": "foo;bar"}),
        ({"source_labels": ["a", "b"], "separator": "", "target_label": "d"}, {"d": "foobar"}),
        ({"source_labels": ["a"], "regex": "fo", "target_label": "d", "replacement": "x"}, {}),
        ({"source_labels": ["a"], "regex": "(f).*", "target_label": "${1}_x", "replacement": "y"}, {"f_x": "y"}),
        ({"source_labels": ["a"], "target_label": "b", "replacement": ""}, {"b": None}),
        ({"source_labels": ["none"], "target_label": "d", "replacement": "set"}, {"d": "set"}),
        (
            {"source_labels": ["a"], "regex": "(?P<first>.).*", "target_label": "d", "replacement": "$first$$1$9"},
            {"d": "f$1"},
        ),
        ({"source_labels": ["a"], "regex": "f(o)o", "target_label": "d", "replacement": "$1x"}, {}),
        ({"action": "uppercase", "source_labels": ["a"], "target_label": "d"}, {"d": "FOO"}),
        ({"action": "lowercase", "source_labels": ["a"], "target_label": "a"}, {}),
        ({"action": "labelmap", "regex": "([ab])", "replacement": "${1}x"}, {"ax": "foo", "bx": "bar"}),
        ({"action": "labeldrop", "regex": "[ab]"}, {"a": None, "b": None}),
        ({"action": "labelkeep", "regex": "[ab]"}, {"c": None}),
        ({"action": "Replace", "source_labels": ["a"], "target_label": "d"}, {"d": "foo"}),
    ],
)
def test_rules_that_change(rule, changes):
    expected = {name: value for name, value in (BASE | changes).items() if value is not None}
    assert relabel(BASE, rule) == expected


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"action": "keep", "source_labels": ["a"], "regex": "f.o"}, True),
        ({"action": "keep", "source_labels": ["a"], "regex": "o"}, False),
        ({"action": "drop", "source_labels": ["a"], "regex": "f|foo"}, False),
        ({"action": "drop", "source_labels": ["a"], "regex": "f"}, True),
        ({"action": "keepequal", "source_labels": ["a"], "target_label": "b"}, False),
        ({"action": "keepequal", "source_labels": ["b"], "target_label": "b"}, True),
        ({"action": "dropequal", "source_labels": ["b"], "target_label": "b"}, False),
        ({"action": "dropequal", "source_labels": ["a"], "target_label": "b"}, True),
    ],
)
def test_rules_that_choose(rule, kept):
    assert relabel(BASE, rule) == (BASE if kept else None)


def test_hashmod_takes_the_last_eight_bytes_of_md5():
    rule = {"action": "hashmod", "source_labels": ["a", "b"], "modulus": 1000, "target_label": "d"}
    low = struct.unpack(">QQ", hashlib.md5(b"foo;bar").digest())[1]
    assert relabel(BASE, rule)["d"] == str(low % 1000)


def test_rules_run_in_order_and_a_dot_matches_newlines():
    assert relabel(
        {"a": "x\ny"},
        {"source_labels": ["a"], "target_label": "t"},
        {"source_labels": ["t"], "regex": "x.y", "target_label": "u", "replacement": "hit"},
        {"action": "labeldrop", "regex": "t"},
    ) == {"a": "x\ny", "u": "hit"}


def test_regexes_are_re2():
    with pytest.raises(ValueError, match="perl operator"):
        compile_anchored("a(?=b)")
    assert expand("$1", compile_anchored("a(b)?").fullmatch("a")) == ""

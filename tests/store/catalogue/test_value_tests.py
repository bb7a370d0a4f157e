import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.catalogue.naive import matches

from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.store.catalogue.value_tests import literal_alternatives, literal_prefix


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        ("a|b|c", ["a", "b", "c"]),
        ("(a|b)", ["a", "b"]),
        ("(?:a|b)", ["a", "b"]),
        ("plain", ["plain"]),
        (r"10\.0\.0\.1:9090|x\-y", ["10.0.0.1:9090", "x-y"]),
        ("", [""]),
        ("a||b", ["a", "", "b"]),
        ("(a)|(b)", None),
        ("(?i)a", None),
        (r"a\d", None),
        (r"a\n", None),
        ("a\\", None),
        (r"\_", None),
        ("a.b", None),
        ("^a", None),
        ("a{2}", None),
        ("()", [""]),
    ],
)
def test_literal_alternatives(regex, expected):
    assert literal_alternatives(regex) == expected


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        ("foo.*", "foo"),
        (r"a\.b.*", "a.b"),
        (r"a\.*", None),
        (r"a\\.*", "a\\"),
        ("a|b.*", None),
        ("(a.*", None),
        ("a.*b.*", None),
        ("foo", None),
    ],
)
def test_literal_prefix(regex, expected):
    assert literal_prefix(regex) == expected


@given(st.text("ab|().\\*-é", max_size=8), st.text("ab.-é|", max_size=4))
def test_literals_mean_what_re2_means(regex, text):
    alternatives = literal_alternatives(regex)
    if alternatives is not None:
        assert (text in alternatives) == matches(Matcher("x", MatchOperator.REGEX, regex), {"x": text})

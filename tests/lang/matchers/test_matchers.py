"""Cases follow the page of Alertmanager's configuration, "Matchers"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.lang.matchers import labels_test, parse_matcher, parse_matchers, to_text
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher, MatchOperator

ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


def _one(text):
    found = parse_matcher(text)
    return found.name, str(found.operator), found.value


@pytest.mark.parametrize(("text", "wanted"), [
    ("foo=bar", ("foo", "=", "bar")),
    ('foo="bar"', ("foo", "=", "bar")),
    ("  foo  =~  bar|baz  ", ("foo", "=~", "bar|baz")),
    ('foo!="a\\"b"', ("foo", "!=", 'a"b')),
    ("foo=", ("foo", "=", "")),
    ('foo!~""', ("foo", "!~", "")),
    ('"foo bar"="baz"', ("foo bar", "=", "baz")),
    ("föö=bär🙂", ("föö", "=", "bär🙂")),
    ('föö="\\u00e9\\x41\\n"', ("föö", "=", "éA\n")),
    # Both forms take these and differ: the classic one wins.
    ('foo="\\u00e9"', ("foo", "=", "\\u00e9")),
    # Only the classic form takes these.
    ("foo=bar baz", ("foo", "=", "bar baz")),
    ("foo=~[a-z]{2,3}x", ("foo", "=~", "[a-z]{2,3}x")),
    ("foo==bar", ("foo", "=", "=bar")),
    ("foo=~a\\.b", ("foo", "=~", "a\\.b")),
    ("foo=it's", ("foo", "=", "it's")),
    ("foo=bar,baz", ("foo", "=", "bar,baz")),
])  # fmt: skip
def test_one_matcher(text, wanted):
    assert _one(text) == wanted


@pytest.mark.parametrize("text", [
    "", "foo", "=bar", '""=bar', 'foo="bar', 'foo=bar"', 'foo=b"a"r', "föö=b{r",
    'föö="\\ud800"', 'föö="\\xff"', 'föö="\\q"',
    "{foo=bar", "foo=bar}", "foo=~[", 'foo=~"*"', "föö=b,g=c",
])  # fmt: skip
def test_what_is_no_matcher_is_refused(text):
    with pytest.raises(QuerySyntaxError):
        parse_matcher(text)


@pytest.mark.parametrize(("text", "wanted"), [
    ("", []), ("{}", []), (" { } ", []),
    ("a=b", ['a="b"']),
    ('{a="b", c!=d,}', ['a="b"', 'c!="d"']),
    ('{a="b,}",c=~"x{1,2}"}', ['a="b,}"', 'c=~"x{1,2}"']),
    ('a="b, c", d!~e', ['a="b, c"', 'd!~"e"']),
    ('{"ü b"=c, d="\\""}', ['ü b="c"', 'd="\\""']),
])  # fmt: skip
def test_lists(text, wanted):
    assert [str(each) for each in parse_matchers(text)] == wanted


@pytest.mark.parametrize("text", [",", "a=b,,c=d", "{a=b,c}", "ü=b c=d", "{ü=b", '{"ü"=b}}', "a=b,c=~("])
def test_bad_lists_are_refused(text):
    with pytest.raises(QuerySyntaxError):
        parse_matchers(text)


@given(st.lists(st.tuples(ANY_TEXT.filter(bool), st.sampled_from(list(MatchOperator)), ANY_TEXT), max_size=4))
def test_what_is_printed_reads_back(parts):
    # A regular expression that is none would be refused: those get one that always is.
    matchers = tuple(Matcher(name, op, value if "~" not in op else "a|b.") for name, op, value in parts)
    assert parse_matchers("{" + ",".join(map(to_text, matchers)) + "}") == matchers


@pytest.mark.parametrize(("text", "holds"), [
    ("{}", True), ("a=1", True), ("a=2", False), ("a!=1", False), ("missing=", True), ("missing!=x", True),
    ('missing!=""', False), ("a=~[0-9]", True), ("b=~one", False), ("b=~one.*two", True), ("b!~one", True),
    ("a=1,b=~o.*", True), ("a=1,b=x", False),
])  # fmt: skip
def test_what_matchers_hold_for(text, holds):
    assert labels_test(parse_matchers(text))({"a": "1", "b": "one\ntwo"}) is holds

import pytest

from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.regex_captures import CaptureRegex, capture_regex
from tests.query.logql.lines import texts


@pytest.mark.parametrize(
    ("regex", "line", "expected"),
    [
        (r"(?P<a>\w+) (\d+) (?P<b>\w+)", "x 12 y", {"a": "x", "b": "y"}),
        (r"\((?P<a>[^)]*)\)", "f(x(y)", {"a": "x(y"}),
        (r"(?P<a>[(]+)(x|y)", "((y", {"a": "(("}),
        (r"(?P<a>[])(]+)", "]()", {"a": "]()"}),
        (r"(?P<a>[[:alpha:](]+)", "a(1", {"a": "a("}),
        (r"\Q(\E(?P<a>.)", "(z", {"a": "z"}),
        (r"\\(?P<a>.)", "\\q", {"a": "q"}),
        (r"(?i:(?P<a>ABC))", "xabcx", {"a": "abc"}),
        (r"(?<a>\d)", "n5", {"a": "5"}),
        (r"(?P<a>x)?(?P<b>y)", "y", {"a": "", "b": "y"}),
        (r"(?P<a>z)", "y", {"a": None}),
        (r"(?P<a>a+)(?:(?P<b>b)|(c))", "xaac", {"a": "aa", "b": ""}),
    ],
)
def test_named_groups(regex, line, expected):
    found = capture_regex(Utf8Column.from_strings([line]), CaptureRegex.from_text(regex))
    assert {name: texts(column)[0] for name, column in found.columns.items()} == expected
    assert not found.failed.any()

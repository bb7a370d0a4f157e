import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.logfmt_errors import logfmt_error
from swarmscope.query.logql.logfmt_parser import parse_logfmt


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("a=1 b", ""),
        ("a=1 =2", "logfmt syntax error at pos 5 : unexpected '='"),
        ("a=1=2", "logfmt syntax error at pos 4 : unexpected '='"),
        ('ab"c=1', "logfmt syntax error at pos 3 : unexpected '\"'"),
        ('a="open', "logfmt syntax error at pos 8 : unterminated quoted value"),
        ('a="x"b=1', ""),
    ],
)
def test_errors(line, error):
    assert logfmt_error(line.encode()) == error


@given(st.text(alphabet='ab= "\\\t', max_size=20))
def test_there_is_an_error_where_the_parser_fails(line):
    failed = parse_logfmt(Utf8Column.from_strings([line]), None, strict=True, keep_empty=False).failed[0]
    assert failed == bool(logfmt_error(line.encode()))

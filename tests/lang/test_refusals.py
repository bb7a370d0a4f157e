"""What is said of a text that is no query, and where: the words are those of a running Prometheus."""

import pytest

from swarmscope.lang.promql.parse import parse_promql
from swarmscope.model.errors import QuerySyntaxError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('vector("a")', '1:8: parse error: expected type scalar in call to function "vector", got string'),
        ("sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"),
        ('quantile("a", b)', "1:10: parse error: expected type scalar in aggregation parameter, got string"),
        ("sum_over_time(sum(a))",
         '1:15: parse error: expected type range vector in call to function "sum_over_time", got instant vector'),
        ("1 + round(scalar(b) < bool 3, 2)",
         '1:11: parse error: expected type instant vector in call to function "round", got scalar'),
        ("(1 or a) + 1", '1:2: parse error: set operator "or" not allowed in binary scalar expression'),
        ("1 > 2", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
        ("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"),
        ("a + on(x) group_left(x) b", '1:3: parse error: label "x" must not occur in ON and GROUP clause at once'),
        ("time()[5m:1m]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"),
        ("constant[5m:1m:1s]", "1:15: parse error: unexpected colon ':'"),
        ("constant[5m:0s]", "1:13: parse error: duration must be greater than 0"),
        ('-"a"', "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, "
         'got "string"'),
        ('constant{job="a', "1:14: parse error: unterminated quoted string"),
        ("constant{le}", '1:12: parse error: unexpected "}" in label matching, expected label matching operator'),
        ("constant{le=}", '1:13: parse error: unexpected "}" in label matching, expected string'),
        ("constant{le==1}", '1:13: parse error: unexpected "=" in label matching, expected string'),
        ("constant @ foo", '1:12: parse error: unexpected identifier "foo" in @, expected timestamp'),
        ("constant group_left constant", "1:10: parse error: unexpected <group_left>"),
        ("sum(constant) without", '1:22: parse error: unexpected end of input in grouping opts, expected "("'),
        ("$a", "1:1: parse error: unexpected character: '$'"),
    ],
)  # fmt: skip
def test_words_and_place(text: str, message: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse_promql(text)
    assert str(caught.value) == message

"""The functions of LogQL's templates: every example of the documentation, and the edges beside them."""

import pytest

from swarmscope.lang.logql.line_templates import LineFormatter
from swarmscope.lang.templates import CallPart, FieldPart, TemplateFailedError, TextPart

TS_NS = 1_635_847_200_123_456_789  # 2021-11-02 10:00:00.123456789 UTC
NOW_NS = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
LABELS = {
    "path": "/api/some path/x",
    "err": "ErrTimeout here",
    "queries": '[{"query":"q1"},{"query":"q2"}]',
    "foo": "2021-11-02T10:00:00.5Z",
    "label": "aaabc",
    "duration": "3000",
    "cluster": "prod-cluster",
    "text": "one\ntwo",
}


def _format(template):
    return LineFormatter(template, NOW_NS).format("The Line", TS_NS, LABELS)


@pytest.mark.parametrize(
    ("template", "output"),
    [
        ('{{ .path | replace " " "_" | trunc 5 | upper }}', "/API/"),
        ('{{ if and (contains "he" "hello") (contains "llo" "hello") }} yes {{end}}', " yes "),
        ('{{ if or (contains "he" "hello") (contains "xx" "hello") }} yes {{end}}', " yes "),
        ('{{ if contains "ErrTimeout" .err }}timeout{{else if contains "he" "hello"}}yes{{else}}no{{end}}', "timeout"),
        ("{{ __line__ | lower }} {{__line__}}", "the line The Line"),
        ("{{ __timestamp__ }}", "2021-11-02 10:00:00.123456789 +0000 UTC"),
        ('{{ __timestamp__ | date "2006-01-02T15:04:05.00Z-07:00" }}', "2021-11-02T10:00:00.12Z+00:00"),
        ("{{ __timestamp__ | unixEpoch }}", "1635847200"),
        ("{{ __timestamp__ | unixEpochMillis }} {{ __timestamp__ | unixEpochNanos }}", f"1635847200123 {TS_NS}"),
        ('{{ date "2006-01-02" now }} {{ unixEpoch now }}', "2023-11-14 1700000000"),
        ('{{ toDate "2006-01-02" "2021-11-02" }}', "2021-11-02 00:00:00 +0000 UTC"),
        ('{{ toDateInZone "2006-01-02" "UTC" "2021-11-02" }}', "2021-11-02 00:00:00 +0000 UTC"),
        ('{{ toDateInZone "2006-01-02" "Europe/Berlin" "2021-11-02" | unixEpoch }}', "1635807600"),
        ('{{ .foo | toDateInZone "2006-01-02T15:04:05.999999999Z" "UTC" | unixEpochMillis }}', "1635847200500"),
        ('{{ toDate "2006-01-02" "nonsense" | unixEpoch }}', "-62135596800"),
        ('{{date "2006-01-02" (unixToTime "1679577215")}}', "2023-03-23"),
        (
            '{{unixToTime "19440" | unixEpoch}} {{unixToTime "1679577215123" | unixEpochNanos}}',
            "1679616000 1679577215123000000",
        ),
        ('{{ duration "1m30s" }} {{ duration_seconds "250ms" }} {{duration "-1.5h"}}', "90 0.25 -5400"),
        ('{{ bytes "5 MB" }} {{ bytes "1KiB" }} {{bytes "20"}}', "5e+06 1024 20"),
        ('{{ alignLeft 5 "hello world"}}|{{ alignLeft 5 "hi"}}|', "hello|hi   |"),
        ('{{ alignRight 5 "hello world"}}|{{ alignRight 5 "hi"}}|', "world|   hi|"),
        ('{{ b64enc "foo" }} {{ b64dec "Zm9v" }}', "Zm9v foo"),
        ('{{ default "-" "" }} {{ default "-" "foo" }} {{.nope | default "none"}}', "- foo none"),
        ('{{fromJson "{\\"foo\\": 55}"}} {{(fromJson "{\\"a\\":{\\"b\\":1.5}}").a.b}}', "map[foo:55] 1.5"),
        ('<{{fromJson "nonsense"}}>', "<>"),
        ("{{ range $q := fromJson .queries }} {{ $q.query }} {{ end }}", " q1  q2 "),
        ('{{ lower "HELLO"}} {{ToLower "A"}} {{upper "hello"}} {{ToUpper "b"}}', "hello a HELLO B"),
        ("{{ indent 4 .text }}", "    one\n    two"),
        ("{{ nindent 2 .text }}", "\n  one\n  two"),
        ('{{ repeat 3 "hello" }}', "hellohellohello"),
        ('{{ printf "The IP address was %s" .cluster }}', "The IP address was prod-cluster"),
        (
            '{{ printf "%-10.4s|" .path}}{{printf "%-5.5s|" "GET"}}{{printf "%15.15s" .cluster}}',
            "/api      |GET  |   prod-cluster",
        ),
        ('{{ .cluster | replace "-cluster" "" }} {{ replace "hello" "world" "hello world" }}', "prod world world"),
        ('{{ Replace "aaa" "a" "b" 2 }}', "bba"),
        ('{{ substr 0 5 "hello world"}} {{ substr 6 11 "hello world"}}', "hello world"),
        (
            '{{ substr -1 5 "hello world"}} {{ substr 6 -1 "hello world"}} {{substr 6 99 "hello world"}}',
            "hello world world",
        ),
        ('{{ title "hello world"}} {{title "o\'neil a_b-c"}}', "Hello World O'Neil A_b-C"),
        ('{{ trim "   hello    " }} {{TrimSpace " x "}}', "hello x"),
        ('{{ trimAll "$" "$5.00" }} {{Trim "$5$" "$"}} {{TrimLeft "$5$" "$"}} {{TrimRight "$5$" "$"}}', "5.00 5 5$ $5"),
        ('{{ trimPrefix "-" "-hello" }} {{ trimSuffix "-" "hello-" }}', "hello hello"),
        ('{{ TrimPrefix "-hello" "-" }} {{ TrimSuffix "hello-" "-" }}', "hello hello"),
        ('{{ trunc 5 "hello world"}} {{ trunc -5 "hello world"}} {{trunc 9 "x"}}', "hello world x"),
        ('{{ urlencode "a b&c/ü" }} {{ urldecode "a+b%26c" }}', "a+b%26c%2F%C3%BC a b&c"),
        (
            '{{ if hasSuffix "Timeout" "ErrTimeout" }}timeout{{end}} {{ if hasPrefix "he" "hello" }}yes{{end}}',
            "timeout yes",
        ),
        ('{{ if eq "hello" "hello" }}yes{{end}}', "yes"),
        # Numbers
        ("{{ add 3 2 5 }} {{ sub 5 2 }} {{ mul 5 2 3}} {{ div 10 2}} {{ mod 10 3}}", "10 3 30 5 1"),
        ("{{ div -7 2 }} {{ mod -7 2 }} {{div .duration 1000}}", "-3 -1 3"),
        ("{{ addf 3.5 2 5 }} {{ subf  5.5 2 1.5 }} {{ mulf 5.5 2 2.5}} {{ divf 10 2 4}}", "10.5 2 27.5 1.25"),
        ("{{ addf 0.1 0.2 }}", "0.3"),
        ("{{ ceil 123.001 }} {{ floor 123.9999 }}", "124 123"),
        (
            "{{ round 123.555555 3 }} {{ round 123.88571428571 5 .2 }} {{ round 123.88571428571 5 }}",
            "123.556 123.88572 123.88571",
        ),
        ('{{ "3.5" | float64 }} {{ "3" | int }} {{ int "x" }} {{ int 3.9 }} {{int "0x1f"}}', "3.5 3 0 3 31"),
        ("{{ max 1 2 3 }} {{ min 1 2 3 }} {{ maxf 1 2.5 3 }} {{ minf 1.5 2 3 }}", "3 1 3 1.5"),
        # Regexes
        ('{{ count "a|b" "abab" }} {{ count "o" "foo" }}', "4 2"),
        ('{{ regexReplaceAll "(a*)bc" .label "${1}a" }}', "aaaa"),
        ('{{ regexReplaceAll "(?P<x>b)(c)" .label "<$x$2$$>" }}', "aaa<bc$>"),
        ('{{ regexReplaceAll "a*" "baaac" "-" }}', "-b-c-"),
        ('{{ regexReplaceAllLiteral "(ts=)" "ts=5" "timestamp=$1" }}', "timestamp=$15"),
        # Labels
        ("{{.nope}}|{{.path}}", "|/api/some path/x"),
    ],
)
def test_documented_functions(template, output):
    assert _format(template) == output


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{div 1 0}}", "integer divide by zero"),
        ("{{mod 1 0}}", "integer divide by zero"),
        ("{{divf 1 0}}", "decimal"),
        ('{{duration "soon"}}', 'invalid duration "soon"'),
        ('{{bytes "many"}}', "unhandled size name"),
        ('{{unixToTime "12"}}', "unable to parse time '12'"),
        ('{{urldecode "%zz"}}', 'invalid URL escape "%zz"'),
        ('{{count "(" "x"}}', "error parsing regexp"),
        ('{{contains "a" 5}}', "expected string; got int"),
        ('{{repeat -1 "a"}}', "negative Repeat count"),
        ('{{repeat 999999999 "a"}}', "longer than"),
        ('{{alignLeft 999999999 "a"}}', "longer than"),
        ('{{indent 999999999 "a"}}', "longer than"),
        ('{{unixEpoch "x"}}', "expected time.Time; got string"),
    ],
)
def test_failures(template, message):
    with pytest.raises(TemplateFailedError) as error:
        _format(template)
    assert message in str(error.value)


def test_parts_for_whole_columns():
    assert LineFormatter("{{.a}} - {{__line__}}").parts == (FieldPart("a"), TextPart(" - "), CallPart("__line__"))
    assert LineFormatter("{{.a}} {{now}}").parts is None
    assert LineFormatter("{{.a | upper}}").parts is None


def test_a_formatter_is_used_for_many_lines():
    formatter = LineFormatter("{{__line__}} {{.a}} {{__timestamp__ | unixEpoch}}")
    assert formatter.format("x", 1_000_000_000, {"a": "1"}) == "x 1 1"
    assert formatter.format("y", 2_000_000_000, {}) == "y  2"

"""Go's templates: cases from the documentation of text/template and fmt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.lang.templates import (
    CallPart,
    FieldPart,
    TemplateFailedError,
    TemplateFunction,
    TextPart,
    parse_template,
    run_template,
    simple_parts,
)
from swarmscope.lang.templates.builtins import BUILTINS
from swarmscope.lang.templates.go_format import sprint, sprintf
from swarmscope.lang.templates.moments import Moment, format_moment, parse_moment
from swarmscope.lang.templates.run import MAX_OUTPUT
from swarmscope.model.errors import QuerySyntaxError, SwarmscopeError
from tests.portion import portion

DATA = {
    "name": "gopher",
    "empty": "",
    "n": 3,
    "f": 2.5,
    "yes": True,
    "nothing": None,
    "list": ["a", "b", "c"],
    "map": {"b": 2, "a": 1},
    "deep": {"er": {"x": "y"}},
}


def _run(text, data=DATA):
    return run_template(parse_template(text, BUILTINS), data)


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("plain", "plain"),
        ("{{.name}}", "gopher"),
        ("{{ .name }}!", "gopher!"),
        ("{{.n}} {{.f}} {{.yes}} {{.nothing}}", "3 2.5 true <no value>"),
        ("{{.missing}}", "<no value>"),
        ("{{.list}} {{.map}}", "[a b c] map[a:1 b:2]"),
        ("{{.deep.er.x}} {{(.deep).er.x}} {{$.deep.er.x}}", "y y y"),
        # The documentation's own examples of pipelines: all print "output".
        ('{{"\\"output\\""}}', '"output"'),
        ('{{`"output"`}}', '"output"'),
        ('{{printf "%q" "output"}}', '"output"'),
        ('{{"output" | printf "%q"}}', '"output"'),
        ('{{printf "%q" (print "out" "put")}}', '"output"'),
        ('{{"put" | printf "%s%s" "out" | printf "%q"}}', '"output"'),
        ('{{with "output"}}{{printf "%q" .}}{{end}}', '"output"'),
        ('{{with $x := "output" | printf "%q"}}{{$x}}{{end}}', '"output"'),
        ('{{with $x := "output"}}{{printf "%q" $x}}{{end}}', '"output"'),
        ('{{with $x := "output"}}{{$x | printf "%q"}}{{end}}', '"output"'),
        # Trim markers, as documented.
        ("{{23 -}} < {{- 45}}", "23<45"),
        ("{{-3}}", "-3"),
        ("a\n  {{- /* a comment */ -}}\n  b", "ab"),
        ("a {{/* a comment */}} b", "a  b"),
        # Literals.
        (
            "{{1}} {{-2}} {{0x1F}} {{1_000}} {{0b101}} {{017}} {{1.0}} {{1e3}} {{'a'}} {{true}}",
            "1 -2 31 1000 5 15 1 1000 97 true",
        ),
        # if
        ("{{if .name}}T{{end}}", "T"),
        ("{{if .empty}}T{{else}}F{{end}}", "F"),
        ("{{if .empty}}1{{else if .n}}2{{else}}3{{end}}", "2"),
        ("{{if .empty}}1{{else if .missing}}2{{else if .list}}3{{end}}", "3"),
        ("{{if not .yes}}a{{else}}b{{end}}", "b"),
        # with
        ("{{with .deep}}{{.er.x}}{{end}}", "y"),
        ("{{with .empty}}x{{else}}{{.name}}{{end}}", "gopher"),
        ("{{with .empty}}x{{else with .name}}{{.}}{{end}}", "gopher"),
        ("{{with .name}}{{.}}-{{$.n}}{{end}}", "gopher-3"),
        # range
        ("{{range .list}}[{{.}}]{{end}}", "[a][b][c]"),
        ("{{range $i, $e := .list}}{{$i}}{{$e}}{{end}}", "0a1b2c"),
        ("{{range $e := .list}}{{$e}}{{end}}", "abc"),
        ("{{range $k, $v := .map}}{{$k}}={{$v}};{{end}}", "a=1;b=2;"),
        ("{{range .nothing}}x{{else}}none{{end}}", "none"),
        ("{{range .n}}{{.}}{{end}}", "012"),
        ('{{range .list}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}', "ac"),
        ('{{range .list}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', "a"),
        # variables
        ("{{$x := 1}}{{$x = 2}}{{$x}}", "2"),
        ('{{$x := "a"}}{{if true}}{{$x = "b"}}{{end}}{{$x}}', "b"),
        ('{{$x := "a"}}{{if true}}{{$x := "b"}}{{$x}}{{end}}{{$x}}', "ba"),
        ("{{$m := .deep}}{{$m.er.x}}", "y"),
        # templates
        ('{{define "T"}}<{{.}}>{{end}}{{template "T" .name}}', "<gopher>"),
        ('{{template "T" 5}}{{define "T"}}{{.}}{{end}}', "5"),
        ('{{block "B" .n}}[{{.}}]{{end}}', "[3]"),
        ('{{define "T"}}{{.}}{{end}}{{template "T"}}', "<no value>"),
        # functions
        ("{{and 1 0}} {{and 1 2}} {{or 0 2}} {{or 0 0}} {{or 1 0}}", "0 2 2 0 1"),
        ("{{and .empty (index .list 9)}}|{{or .n (index .list 9)}}", "|3"),
        ("{{eq 1 2 1}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2 2}}", "true true true true false true"),
        ('{{eq "a" "a"}} {{lt "a" "b"}} {{eq .nothing nil}} {{eq true true}}', "true true true true"),
        ('{{index .list 1}} {{index .map "a"}} {{index .deep "er" "x"}} {{index .map "z"}}', "b 1 y <no value>"),
        ('{{slice "hello" 1 3}} {{slice .list 1}} {{slice "hello"}}', "el [b c] hello"),
        ("{{len .list}} {{len .map}} {{len .name}}", "3 2 6"),
        ("{{print 1 2}} {{print 1 `a` 2}}{{println 1 `a`}}", "1 2 1a21 a\n"),
        ("{{html `<a href='x'>&\"`}}", "&lt;a href=&#39;x&#39;&gt;&amp;&#34;"),
        ('{{js `It\'d "be" <x>`}}', 'It\\\'d \\"be\\" \\u003Cx\\u003E'),
        ("{{urlquery `a b&c=ü`}}", "a+b%26c%3D%C3%BC"),
    ],
)
def test_output(text, output):
    assert _run(text) == output


@pytest.mark.parametrize(
    ("layout", "values", "output"),
    [
        ("%d %5d|%-5d|%05d|%+d|% d", (1, 2, 3, 4, 5, 6), "1     2|3    |00004|+5| 6"),
        (
            "%x %X %#x %o %#o %O %b %c %q %U",
            (255, 255, 255, 8, 8, 8, 5, 65, 65, 65),
            "ff FF 0xff 10 010 0o10 101 A 'A' U+0041",
        ),
        ("%.3d", (7,), "007"),
        ("%s|%10s|%-10s|%.2s|%5.1s|", ("ab", "ab", "ab", "abc", "xyz"), "ab|        ab|ab        |ab|    x|"),
        ("%q %x %X % x", ('a"b', "hi", "hi", "hi"), '"a\\"b" 6869 6869 68 69'),
        (
            "%f %.2f %8.3f %e %E %g %G",
            (1.5, 2.345, 3.14159, 1500.0, 0.00015, 1e21, 1e-7),
            "1.500000 2.35    3.142 1.500000e+03 1.500000E-04 1e+21 1E-07",
        ),
        ("%08.3f|%+.1f|%-8.1f|", (3.14159, 2.0, 1.5), "0003.142|+2.0|1.5     |"),
        ("%v %v %v %v %v", (1, "a", 1.0, True, None), "1 a 1 true <nil>"),
        ("%v %v", (1e6, 123456789.0), "1e+06 1.23456789e+08"),
        ("%t", (False,), "false"),
        ("%T %T %T", (1, "a", 2.5), "int string float64"),
        ("100%%", (), "100%"),
        ("%*d|%-*d|", (5, 1, 4, 2), "    1|2   |"),
        ("%[2]d %[1]d", (1, 2), "2 1"),
        ("%6.2f%%", (12.345,), " 12.35%"),
        # Complaints, as documented.
        ("%d", ("hi",), "%!d(string=hi)"),
        ("hi%d", (), "hi%!d(MISSING)"),
        ("hi", (1, "x"), "hi%!(EXTRA int=1, string=x)"),
        ("%z", (5,), "%!z(int=5)"),
        ("10%", (), "10%!(NOVERB)"),
        ("%s", (5,), "%!s(int=5)"),
        ("%s", (None,), "%!s(<nil>)"),
    ],
)
def test_printf(layout, values, output):
    assert sprintf(layout, values) == output


def test_print_puts_spaces_between_values_that_are_no_text():
    assert sprint([1, 2, "a", "b", 3, 4.5]) == "1 2ab3 4.5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{", "unclosed action"),
        ("{{.a", "unclosed action"),
        ("{{/* a", "unclosed comment"),
        ('{{"a}}', "unterminated quoted string"),
        ("{{}}", "missing value for command"),
        ("{{if}}x{{end}}", "missing value for if"),
        ("{{if .a}}x", "unexpected"),
        ("{{end}}", "unexpected 'end'"),
        ("{{else}}", "unexpected 'else'"),
        ("{{nofunction}}", 'function "nofunction" not defined'),
        ("{{$x}}", 'undefined variable "$x"'),
        ("{{if $x := 1}}{{end}}{{$x}}", 'undefined variable "$x"'),
        ("{{(.a}}", "expected )"),
        ("{{.a)}}", "unexpected ')'"),
        ("{{1 2}}", "can't give argument to non-function"),
        ("{{.a | 5}}", "non executable command in pipeline stage 2"),
        ("{{break}}", "outside {{range}}"),
        ("{{define}}x{{end}}", "in define clause"),
        ('{{define "T"}}x', "in define clause"),
        ("{{.a & .b}}", "unexpected '&'"),
        ("{{0x}}", ""),
        ("{{if .a}}{{else}}{{else}}{{end}}", "unexpected 'else'"),
        ("(" * 3, None),
        ("{{" + "(" * 500 + "1" + ")" * 500 + "}}", "nested deeper"),
        ("{{if 1}}" * 500, "nested deeper"),
    ],
)
def test_malformed_templates(text, message):
    if message is None:
        assert _run(text) == text
        return
    with pytest.raises(QuerySyntaxError) as error:
        parse_template(text, BUILTINS)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{.name.x}}", "can't evaluate field x in type string"),
        ("{{.missing.x}}", "nil pointer evaluating"),
        ("{{eq 1 `a`}}", "incompatible types for comparison"),
        ("{{eq 1 1.5}}", "incompatible types for comparison"),
        ("{{lt true false}}", "invalid type for comparison"),
        ("{{index .list 3}}", "index out of range: 3"),
        ("{{slice .name 3 1}}", "invalid slice index"),
        ("{{len 3}}", "len of type int"),
        ("{{eq 1}}", "missing argument for comparison"),
        ("{{not}}", "wrong number of args for not: want 1 got 0"),
        ("{{printf 1}}", "wrong type for value of printf; expected string; got int"),
        ('{{template "no"}}', 'template "no" not defined'),
        ("{{nil}}", "nil is not a command"),
        ("{{range .name}}{{end}}", "range can't iterate over gopher"),
        ("{{call .name}}", "non-function of type string"),
        ("{{range 1000000000}}x{{end}}", "steps"),
        ("{{range 900}}{{range 900}}{{end}}{{end}}", "steps"),
        ('{{define "T"}}{{template "T"}}{{end}}{{template "T"}}', "maximum template depth"),
        ('{{printf "%999999999d" 1}}', "wider than"),
        ('{{range 9999}}{{printf "%9999d" 1}}{{end}}', f"longer than {MAX_OUTPUT}"),
        ("{{.name 1}}", "name is not a method but has arguments"),
    ],
)
def test_failures_while_running(text, message):
    with pytest.raises(TemplateFailedError) as error:
        _run(text)
    assert message in str(error.value)


def test_names_that_the_data_lacks_can_stand_for_something():
    template = parse_template("<{{.missing}}>", BUILTINS)
    assert run_template(template, {}, missing="") == "<>"


def test_functions_can_be_added():
    shout = {"shout": TemplateFunction(lambda text: text.upper() + "!", ())}
    with pytest.raises(TemplateFailedError, match="want 0 got 1"):
        run_template(parse_template('{{shout "a"}}', {*BUILTINS, *shout}), {}, shout)


def test_simple_parts():
    parts = simple_parts(parse_template("a {{.x}}{{ (.y) }}{{`b`}}c{{f}}", {"f"}), {"f"})
    assert parts == (TextPart("a "), FieldPart("x"), FieldPart("y"), TextPart("bc"), CallPart("f"))
    for text in ("{{.x.y}}", "{{.x | print}}", "{{$a := .x}}", "{{if .x}}a{{end}}", "{{.}}", "{{1}}", "{{f}}"):
        assert simple_parts(parse_template(text, {*BUILTINS, "f"})) is None


WORDS = "{{ }} - . $ a if range end else with ( ) | , := = \" ` 1 'x' .a $x print nil".split(" ")  # noqa: SIM905


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14))
def test_any_text_runs_or_is_refused(words):
    try:
        _run("{{" + " ".join(words))
        _run("".join(words))
    except SwarmscopeError:
        return


MOMENT = Moment(1_136_214_245_123_456_789)  # Mon Jan 2 15:04:05 2006 +0000, with a fraction


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("Mon Jan _2 15:04:05 2006", "Mon Jan  2 15:04:05 2006"),
        ("Mon Jan _2 15:04:05 MST 2006", "Mon Jan  2 15:04:05 UTC 2006"),
        ("02 Jan 06 15:04 -0700", "02 Jan 06 15:04 +0000"),
        ("Monday, 02-Jan-06 15:04:05 MST", "Monday, 02-Jan-06 15:04:05 UTC"),
        ("2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.123456789Z"),
        ("3:04PM", "3:04PM"),
        ("Jan _2 15:04:05.000", "Jan  2 15:04:05.123"),
        ("January 2, 2006 at 3:4:5pm", "January 2, 2006 at 3:4:5pm"),
        ("20060102 002 __2", "20060102 002   2"),
        ("15:04:05.00", "15:04:05.12"),
    ],
)
def test_go_layouts(layout, text):
    assert format_moment(MOMENT, layout) == text


def test_reading_moments():
    assert parse_moment("2006-01-02", "2021-11-02").ns == 1_635_811_200_000_000_000
    assert parse_moment("2006-01-02T15:04:05Z07:00", "2021-11-02T00:00:00+02:00").ns == 1_635_804_000_000_000_000
    assert parse_moment("2006-01-02T15:04:05Z", "2021-11-02T00:00:00.5Z").ns == 1_635_811_200_500_000_000
    assert parse_moment("Jan 2 2006 3:04PM", "Nov 2 2021 1:30PM").ns == 1_635_859_800_000_000_000
    assert str(parse_moment("2006-01-02 -0700", "2021-11-02 +0530")) == "2021-11-02 00:00:00 +0530 +0530"
    for text in ("2021-13-02", "2021-11-31", "x", "2021-11-02x"):
        with pytest.raises(ValueError, match=r".+"):
            parse_moment("2006-01-02", text)

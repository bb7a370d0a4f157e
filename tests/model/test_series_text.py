from swarmscope.model.series_text import metric_text, series_text


def test_names_are_quoted_where_they_must_be():
    assert series_text("up", {}) == "up"
    assert series_text("a:b", {"z": "1", "b.c": 'x"\\\n'}) == 'a:b{"b.c"="x\\"\\\\\\n",z="1"}'
    assert series_text("gen_ai.tokens", {"a": "ü"}, ", ") == '{"gen_ai.tokens", a="ü"}'
    assert series_text("", {"a": "b"}) == '{a="b"}'
    assert series_text("", {}) == "{}"
    assert (metric_text("up"), metric_text("1up"), metric_text("日")) == ("up", '"1up"', '"日"')

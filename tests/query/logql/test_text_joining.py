from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.blocks import absent_column
from swarmscope.query.logql.text_joining import joined_texts
from tests.query.logql.lines import texts


def test_columns_and_texts_one_behind_the_other():
    first, second = Utf8Column.from_strings(["a", "", "é"]), Utf8Column.from_strings(["1", "2", "3"])
    assert texts(joined_texts([first, "-", second, "!"], 3)) == ["a-1!", "-2!", "é-3!"]


def test_absent_cells_are_empty_and_no_parts_make_empty_texts():
    assert texts(joined_texts(["x", absent_column(2)], 2)) == ["x", "x"]
    assert texts(joined_texts([], 2)) == ["", ""]
    assert texts(joined_texts(["x"], 0)) == []

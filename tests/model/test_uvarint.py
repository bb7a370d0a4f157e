from swarmscope.model.uvarint import to_uvarint


def test_numbers_by_hand():
    assert [to_uvarint(n).hex() for n in (0, 127, 128, 300)] == ["00", "7f", "8001", "ac02"]
    assert to_uvarint(-1).hex() == "ff" * 9 + "01"

import os

import numpy as np
import pytest

from swarmscope.store.embedded.journal import Journal, read_segment

FRAME = {"ref": np.array([1, 2, 3], np.uint32), "value": np.array([0.5, 1.5, 2.5]), "empty": np.zeros(0, np.int64)}


def assert_same(frame, expected):
    assert frame.keys() == expected.keys()
    for name, column in expected.items():
        assert frame[name].dtype == column.dtype
        assert frame[name].tolist() == column.tolist()


@pytest.fixture(params=[False, True], ids=["cached", "fsync"])
def journal(request, tmp_path):
    return Journal(tmp_path / "journal", fsync=request.param)


def test_frames_come_back_in_order(journal):
    segment = journal.new_segment()
    segment.append(FRAME)
    segment.append({"other": np.array([9], np.uint8)})
    segment.close()
    frames = read_segment(segment.path).frames
    assert len(frames) == 2
    assert_same(frames[0], FRAME)
    assert frames[1]["other"].tolist() == [9]


@pytest.mark.parametrize("lost", [1, 7, 20, 40])
def test_a_torn_last_frame_is_dropped_and_the_rest_kept(journal, lost):
    segment = journal.new_segment()
    segment.append(FRAME)
    whole = segment.path.stat().st_size
    segment.append(FRAME)
    segment.close()
    os.truncate(segment.path, 2 * whole - lost)
    assert len(read_segment(segment.path).frames) == 1


def _three_frames(journal):
    segment = journal.new_segment()
    for number in range(3):
        segment.append({**FRAME, "number": np.array([number], np.int64)})
    segment.close()
    return segment.path


@pytest.mark.parametrize(
    "at", [0, 5, 9, 17, 40, -1], ids=["magic", "header length", "body length", "checksum", "header", "body"]
)
@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_flipped_bit_costs_one_frame_and_is_told_of(journal, broken, at):
    path = _three_frames(journal)
    data = bytearray(path.read_bytes())
    size = len(data) // 3
    data[broken * size + at % size] ^= 4
    path.write_bytes(data)
    content = read_segment(path)
    assert [int(frame["number"][0]) for frame in content.frames] == [n for n in range(3) if n != broken]
    # A length at the very end that is too long cannot be told from a frame that was cut off.
    assert content.damaged_bytes == (0 if broken == 2 and at in (5, 9) else size)


def test_zeros_at_the_end_are_damage(journal):
    path = _three_frames(journal)
    with path.open("ab") as file:
        file.write(bytes(100))
    content = read_segment(path)
    assert (len(content.frames), content.damaged_bytes) == (3, 100)


def test_what_is_set_aside_is_not_left_over_and_keeps_its_number(tmp_path):
    journal = Journal(tmp_path, fsync=False)
    path = _three_frames(journal)
    number = int(path.stem)
    kept = journal.set_aside(path)
    (tmp_path / "next").write_bytes(bytes(4))  # as a power loss may leave it
    again = Journal(tmp_path, fsync=False)
    assert (again.leftover(), again.damaged()) == ([], [kept])
    assert again.new_segment().number == number + 1


def test_numbers_are_never_used_twice(tmp_path):
    first = Journal(tmp_path, fsync=False)
    segment = first.new_segment()
    segment.close()
    segment.remove()
    again = Journal(tmp_path, fsync=False)
    assert again.leftover() == []
    assert again.new_segment().number > segment.number


def test_a_failed_append_leaves_the_segment_whole(journal, monkeypatch):
    segment = journal.new_segment()
    segment.append(FRAME)

    def full_disk(_file, parts):
        os.write(segment._file, bytes(parts[0])[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.writev", full_disk)
    with pytest.raises(OSError, match="No space"):
        segment.append(FRAME)
    monkeypatch.undo()
    segment.append(FRAME)
    assert len(read_segment(segment.path).frames) == 2

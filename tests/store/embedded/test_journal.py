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
    frames = list(read_segment(segment.path))
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
    assert len(list(read_segment(segment.path))) == 1


def test_a_flipped_bit_ends_the_segment(journal):
    segment = journal.new_segment()
    segment.append(FRAME)
    segment.close()
    data = bytearray(segment.path.read_bytes())
    data[-1] ^= 4
    segment.path.write_bytes(data)
    assert list(read_segment(segment.path)) == []


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
    assert len(list(read_segment(segment.path))) == 2

from __future__ import annotations

import numpy as np

from swarmscope.ingest.redaction.clean_pairs import CleanPairs
from swarmscope.ingest.redaction.detectors import user_detector
from swarmscope.ingest.redaction.redactor import Redactor
from swarmscope.model.labels import Utf8Column


def _column(*texts: str) -> Utf8Column:
    return Utf8Column.from_strings(list(texts))


def test_only_pairs_that_were_remembered_are_known() -> None:
    pairs = CleanPairs()
    names, values = _column("a", "b", "a"), _column("x" * 20, "y", "z")
    rows, hashes = pairs.unknown(names, values)
    assert rows.tolist() == [0, 1, 2]
    pairs.remember(hashes[np.array([0, 2])])
    assert pairs.unknown(names, values)[0].tolist() == [1]
    # The same text as another pair, cut elsewhere, is another pair.
    assert pairs.unknown(_column("ax"), _column("x" * 19))[0].tolist() == [0]
    assert pairs.unknown(_column("a", "a"), _column("x" * 21, "Z"))[0].tolist() == [0, 1]


def test_bytes_that_end_in_zeros_are_told_apart() -> None:
    pairs = CleanPairs()
    _, hashes = pairs.unknown(_column("a"), _column("x"))
    pairs.remember(hashes)
    assert pairs.unknown(_column("a", "a\0"), _column("x\0", "x"))[0].tolist() == [0, 1]


def test_long_texts_are_not_remembered() -> None:
    pairs = CleanPairs()
    names, values = _column("a", "n" * 300), _column("v" * 300, "v")
    pairs.remember(pairs.unknown(names, values)[1])
    assert pairs.unknown(names, values)[0].tolist() == [0, 1]


def test_hashes_differ_from_process_to_process() -> None:
    names, values = _column("a"), _column("b")
    assert CleanPairs().unknown(names, values)[1] != CleanPairs().unknown(names, values)[1]


def test_every_find_is_redacted_however_often_it_comes() -> None:
    redactor = Redactor([user_detector("one", "key=secret[0-9]")], {}, b"")
    names, values = _column("key", "other", "key"), _column("secret1", "secret2", "clean")
    for _ in range(3):
        redacted = redactor.redact(values, names)
        assert redacted.column.to_strings()[1:] == ["secret2", "clean"]
        assert "secret1" not in redacted.column.to_strings()[0]
        assert sum(redacted.hits.values()) == 1
    # Clean under one name is not clean under another.
    assert "secret2" not in redactor.redact(_column("secret2"), _column("key")).column.to_strings()[0]

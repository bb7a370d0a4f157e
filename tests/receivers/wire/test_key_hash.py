"""The key hash: distinct, keyed, and no shortcut for whoever does not know the seed."""

import numpy as np

from swarmscope.receivers.wire.key_hash import derive_secrets, hash_spans, mix_columns


def hash_of(texts, seed=1, purpose=1):
    buffer = np.frombuffer(b"".join(texts) or b"\0", np.uint8)
    length = np.array([len(text) for text in texts], np.int64)
    return hash_spans(buffer, np.cumsum(length) - length, length, derive_secrets(seed, purpose))


def test_every_length_and_every_changed_byte_gives_another_hash():
    rng = np.random.default_rng(1)
    texts = set()
    for length in range(150):
        text = bytearray(rng.integers(0, 256, length).astype(np.uint8).tobytes())
        texts.add(bytes(text))
        texts.add(bytes(length))
        for place in range(length):
            changed = text.copy()
            changed[place] ^= 1 << int(rng.integers(8))
            texts.add(bytes(changed))
    texts = sorted(texts)
    assert len(set(hash_of(texts).tolist())) == len(texts)


def test_the_same_bytes_have_the_same_hash_wherever_they_stand():
    first = hash_of([b"abcdefghijklmnopqrstuvwxyz" * 4])
    second = hash_of([b"#", b"abcdefghijklmnopqrstuvwxyz" * 4])[1:]
    assert first.tolist() == second.tolist()


def test_seed_and_purpose_change_every_hash():
    texts = [bytes([number]) * 20 for number in range(200)]
    variants = [set(hash_of(texts, *which).tolist()) for which in ((1, 1), (2, 1), (1, 2))]
    assert not variants[0] & variants[1]
    assert not variants[0] & variants[2]


def test_a_changed_bit_flips_half_of_the_hash():
    rng = np.random.default_rng(2)
    for length in (5, 12, 30, 60, 200):
        flips = []
        for _ in range(200):
            text = bytearray(rng.integers(0, 256, length).astype(np.uint8).tobytes())
            changed = text.copy()
            changed[int(rng.integers(length))] ^= 1 << int(rng.integers(8))
            left, right = hash_of([bytes(text), bytes(changed)]).tolist()
            flips.append((left ^ right).bit_count())
        assert 30.5 < np.mean(flips) < 33.5
        assert min(flips) > 10


def test_no_word_of_public_constants_makes_hashes_vanish():
    # With public masks, a chunk equal to the mask makes its product zero whatever stands before. Here masks are secret:
    # try the words that the derivation itself is made of.
    for word in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD1342543DE82EF95):
        chunk = word.to_bytes(8, "little")
        texts = [bytes([first]) * 48 + chunk * 14 for first in range(64)]
        assert len(set(hash_of(texts).tolist())) == 64


def test_mixed_columns_depend_on_each_word_and_on_their_order():
    rows = np.array([[1, 2], [2, 1], [1, 1], [0, 0]], np.uint64)
    mixed = mix_columns(np.ascontiguousarray(rows.T), 5)
    assert len(set(mixed.tolist())) == 4
    assert mix_columns(np.ascontiguousarray(rows.T), 6).tolist() != mixed.tolist()

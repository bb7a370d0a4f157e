"""The order in which tests are handed out."""

from __future__ import annotations

from dataclasses import dataclass

from tests.conftest import in_shares


@dataclass(frozen=True)
class Item:
    """What ordering looks at of a test."""

    nodeid: str
    is_slow: bool = False

    def get_closest_marker(self, name: str) -> bool:
        return name == "slow" and self.is_slow


def names(items: list[Item], n_shares: int) -> str:
    return " ".join(item.nodeid.replace("::", "") for item in in_shares(items, n_shares))  # type: ignore[arg-type]


QUICK = [Item(f"q::{number}") for number in range(6)]
SLOW = [Item(f"{module}::{number}", True) for module, number in (("a", 0), ("a", 1), ("b", 0), ("c", 0))]


def test_every_share_begins_with_slow_modules() -> None:
    assert names([*QUICK, *SLOW], 2) == "a0 a1 c0 q0 q1 b0 q2 q3 q4 q5"


def test_one_share() -> None:
    assert names([*QUICK[:2], *SLOW, *QUICK[2:]], 1) == "a0 a1 b0 c0 q0 q1 q2 q3 q4 q5"


def test_nothing_is_lost_where_slow_tests_are_most() -> None:
    assert names([*SLOW, QUICK[0]], 2) == "a0 a1 c0 b0 q0"
    assert names([], 2) == ""

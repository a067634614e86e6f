"""The order of tests: another one for every seed, the same for the same, a file's tests together."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests import shuffle


def order(seed: int) -> list[tuple[str, int]]:
    items: list[Any] = [SimpleNamespace(path=Path(f"test_{file}.py"), number=number)
                        for file in "abcdefg" for number in range(9)]
    shuffle.shuffle(items, seed)
    return [(item.path.name, item.number) for item in items]


def test_one_seed_is_one_order() -> None:
    assert order(7) == order(7)


def test_another_seed_is_another_order_of_files_and_of_their_tests() -> None:
    one, other = order(7), order(8)
    assert sorted(one) == sorted(other)
    assert list(dict(one)) != list(dict(other))
    assert [number for file, number in one if file == "test_a.py"] != [
        number for file, number in other if file == "test_a.py"]


def test_tests_of_a_file_stay_together() -> None:
    files = [file for file, _ in groupby(order(9), key=lambda one: one[0])]
    assert len(files) == len(set(files)) == 7

"""Tests in another order at every run: files, and in each file its tests. ``make test SEED=…`` repeats an order.

Order only: what is drawn at random in a test stays as it is. (pytest-randomly would also set ``random`` back to one
seed before every test, so that tests would draw the same again and again.)
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest


def seed() -> int:
    """This run's seed: the one that was given, or that the workers were told."""
    if "SEED" not in os.environ:
        os.environ["SEED"] = str(random.SystemRandom().randrange(1, 1_000_000))
    return int(os.environ["SEED"])


def shuffle(items: list[pytest.Item], seed: int) -> None:
    """Shuffle in place. Tests of one file stay together: they share what is made once a file."""
    chance = random.Random(seed)
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    order = list(files)
    chance.shuffle(order)
    for tests in files.values():
        chance.shuffle(tests)
    items[:] = [item for file in order for item in files[file]]

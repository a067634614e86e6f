"""Pure decisions of the queue: whose turn it is, and about how long it takes, from what was called today."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from msgspec import Struct

# NEXT: nobody is before them. WAITING: some are. CALLED: it is their number now. PASSED: it was called, and they did
# not come. SEEN: it was called before. NOT_THERE: the hospital's queue does not have the number (yet).
Standing = Literal["NEXT", "WAITING", "CALLED", "PASSED", "SEEN", "NOT_THERE"]

FEWEST = 3  # gaps between calls: what was seen less often is no pace
MOST = 30  # calls that are kept
PAUSE = 4.0  # times the usual gap: the doctor was away, and that says nothing of the pace
_SURE = 0.84  # standard deviations: of what is normally spread, 60 in 100 lie within


class Screen(Struct, frozen=True):
    """A queue as it was at ``as_of``. ``calls`` are the moments of today's calls, the earliest first."""

    code: str
    state: str
    as_of: datetime
    called: str
    waiting: tuple[str, ...]
    passed: tuple[str, ...]
    earlier: tuple[str, ...]  # numbers called before the one that is called now
    calls: tuple[datetime, ...]
    seconds_each: int | None = None


class Pace(Struct, frozen=True):
    """How long it is from one call to the next: the mean and its spread, in seconds, of ``gaps`` seen."""

    mean: float
    spread: float
    gaps: int


class Wait(Struct, frozen=True):
    """Minutes until one is called: most likely between the two."""

    low: int
    high: int


def standing(number: str, screen: Screen) -> tuple[Standing, int | None]:
    """Where a number stands, and how many are called before it (None where that has no sense)."""
    if number == screen.called and number:
        return "CALLED", None
    if number in screen.waiting:
        ahead = screen.waiting.index(number)
        return ("WAITING" if ahead else "NEXT"), ahead
    if number in screen.passed:
        return "PASSED", None
    return ("SEEN" if number in screen.earlier else "NOT_THERE"), None


def pace(calls: Sequence[datetime]) -> Pace | None:
    """The pace of today's calls; None while too few were seen to say so. Long gaps were pauses and stay out."""
    gaps = sorted((later - earlier).total_seconds() for earlier, later in pairwise(calls))
    gaps = [gap for gap in gaps if gap > 0]
    if len(gaps) < FEWEST:
        return None
    usual = gaps[len(gaps) // 2]
    gaps = [gap for gap in gaps if gap <= PAUSE * usual]
    if len(gaps) < FEWEST:
        return None
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1)
    return Pace(mean, math.sqrt(variance), len(gaps))


def wait(ahead: int, seen: Pace, since_call: float) -> Wait:
    """How long it takes for one who has ``ahead`` before them; ``since_call``: seconds since the last call.

    The range holds in three of five cases where the pace stays what it was: it widens with how uneven the gaps are, how
    many are still to come, and how few were seen.
    """
    calls = ahead + 1
    middle = calls * seen.mean - min(since_call, seen.mean)
    half = _SURE * seen.spread * math.sqrt(calls + calls * calls / seen.gaps)
    low, high = max(0.0, middle - half) / 60, max(60.0, middle + half) / 60
    step = 5 if high > 20 else 1
    return Wait(math.floor(low / step) * step, math.ceil(high / step) * step)


def told(screen: Screen, number: str, now: datetime) -> tuple[Standing, int | None, Wait | None]:
    """Where a number stands, how many are before it, and about how long that takes (None: not to be said)."""
    where, ahead = standing(number, screen)
    seen = pace(screen.calls)
    if ahead is None or seen is None or screen.state != "CALLING":
        return where, ahead, None
    return where, ahead, wait(ahead, seen, max(0.0, (now - screen.calls[-1]).total_seconds()))


def minutes_at(screen: Screen) -> float | None:
    """About how many minutes one waits who comes to a department's queue now; None when that is not known."""
    seen = pace(screen.calls)
    each = seen.mean if seen is not None else screen.seconds_each
    return None if each is None else len(screen.waiting) * each / 60


STANDS_STILL = {"PAUSED": "医生暂停叫号", "NOT_STARTED": "还没有开始叫号", "OVER": "本次出诊的叫号已结束"}
SENTENCES: dict[str, str] = {
    "CALLED": "正在叫您的号，请马上进诊室。", "NEXT": "下一个就是您，请在诊室门口等候。",
    "PASSED": "您的号已经叫过（过号）。请到分诊台说明，会为您重新安排。", "SEEN": "您的号已经叫过。",
    "NOT_THERE": "叫号队列里暂时没有您的号，请到分诊台核实。"}


def sentence(screen: Screen, where: Standing, ahead: int | None) -> str:
    """What it means for the patient, and what to do."""
    if screen.state in STANDS_STILL and where in ("NEXT", "WAITING"):
        before = f"前面还有{ahead}人" if ahead else "下一个就是您"
        return f"{STANDS_STILL[screen.state]}，{before}，请在候诊区等候。"
    if where == "WAITING":
        return f"前面还有{ahead}人，请在候诊区等候，不要走远。"
    return SENTENCES[where]


NEAR_AT_MOST = timedelta(minutes=15)
NEAR_AT_LEAST = timedelta(minutes=1)


def look_again(ahead: int, near: int, seen: Pace | None) -> timedelta:
    """When to look whether somebody's turn is near: half the way there, for pace and numbers change."""
    each = seen.mean if seen is not None else 120.0
    return min(NEAR_AT_MOST, max(NEAR_AT_LEAST, timedelta(seconds=(ahead - near) * each / 2)))

"""What a statement compares and how. A side's movements travel as lines of text, so that they can be sorted on disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import groupby

from hospital.payment.model import PREFIXES
from hospital.reconciliation.model import HIS, ODD, UNREADABLE, Difference, Line, Tally
from hospital.runtime.ids import bounded

DAYS_BACK = 7  # so many days are made up for, and a line that is open is looked at again for so long
OPEN_DAYS = 3  # a line that is still open after these is a person's business, and so is a statement that waits
LONGEST_NUMBER = 80
LONGEST_SUBJECT, OLD_SUBJECT = 64, 32  # of a task

Entry = tuple[str, int, str]  # movement and number with a tab between, fen; theirs: note, ours: what it must say

_OUR_ORDER = re.compile(f"[{''.join(PREFIXES.values())}][0-9A-HJKMNP-TV-Z]{{26}}")


class Unreadable(Exception):
    """A number that no system of ours gives out: the list is not what it should be."""


def line(movement: str, number: str, fen: int, note: str = "") -> str:
    """A movement as a line that sorts by movement and number.

    Raises Unreadable for a number or note that would not stay on its line or in its column.
    """
    text = f"{number}{note}"
    if not (text.isascii() and text.isprintable() and 0 < len(number) <= LONGEST_NUMBER):
        raise Unreadable(movement)
    return f"{movement}\t{number}\t{fen}\t{note}\n"


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Sorted lines, read. Lines of one number become one entry with their sum: nothing may happen twice unseen."""
    before, total, kept = "", 0, ""
    for text in lines:
        key, fen, note = text[:-1].rsplit("\t", 2)
        if key == before:
            total += int(fen)
            kept = note if note.startswith(ODD) or not kept else kept
        else:
            if before:
                yield before, total, kept
            before, total, kept = key, int(fen), note
    if before:
        yield before, total, kept


def trade_of(key: str) -> str:
    """The trade number in a key of our books: what is taken out of a trade in later turns has ``@2``, … behind it."""
    return key.partition("@")[0]


def by_trade(ours: Iterable[Entry]) -> Iterator[Entry]:
    """All turns of a trade as one entry with their sum: the HIS lists a trade once, with all that was taken out."""
    for key, some in groupby(ours, key=lambda entry: trade_of(entry[0])):
        turns = list(some)
        yield key, sum(fen for _, fen, _ in turns), turns[0][2]


_LAST = "\x7f"  # after every key
_END = (_LAST, 0, "")


def join(source: str, theirs: Iterator[Entry], ours: Iterator[Entry], agreed: dict[str, Tally]) -> Iterator[Difference]:
    """Walk down two sorted sides at once and yield where they differ; what agrees is added to ``agreed`` by movement.

    Agreed is what has the same amount and, where both sides name it, the same order or transaction. What of theirs
    comes to nothing (a refund, and its closing) and is not ours is passed over. Neither side is ever held: the tallies
    are complete when the last difference has come.
    """
    their_key, their_fen, note = next(theirs, _END)
    our_key, our_fen, named = next(ours, _END)
    movement, count, total = "", 0, 0
    while their_key != _LAST or our_key != _LAST:
        if their_key == our_key:
            if their_fen == our_fen and (note == named or not note or not (named or note.startswith(ODD))):
                if not (movement and their_key.startswith(movement)):
                    _count(agreed, movement, count, total)
                    movement, count, total = their_key[:their_key.index("\t") + 1], 0, 0
                count += 1
                total += our_fen
            else:
                yield _difference(source, our_key, our_fen, their_fen, note)
            their_key, their_fen, note = next(theirs, _END)
            our_key, our_fen, named = next(ours, _END)
        elif their_key < our_key:
            if their_fen or note or their_key.startswith(UNREADABLE):
                yield _difference(source, their_key, None, their_fen, note)
            their_key, their_fen, note = next(theirs, _END)
        else:
            yield _difference(source, our_key, our_fen, None, named)
            our_key, our_fen, named = next(ours, _END)
    _count(agreed, movement, count, total)


def _difference(source: str, key: str, ours_fen: int | None, theirs_fen: int | None, note: str) -> Difference:
    movement, _, number = key.partition("\t")
    return Difference(source, movement, number, ours_fen, theirs_fen, note)


def _count(agreed: dict[str, Tally], movement: str, count: int, total: int) -> None:
    if count:
        tally = agreed.setdefault(movement[:-1], Tally())
        tally.lines += count
        tally.ours_fen += total
        tally.theirs_fen += total


# -- whose a line is ------------------------------------------------------------------------------------
def odd(reason: str, order: str) -> str:
    """A note that speaks against its line; without a reason just the order's number."""
    return f"{ODD}{reason}:{order}" if reason else order


def subjects(number: str) -> tuple[str, ...]:
    """What the task about a line of this number has as its subject, and what one from before has: the number's end."""
    whole = bounded(number, LONGEST_SUBJECT)
    return (whole,) if len(number) <= OLD_SUBJECT else (whole, number[-OLD_SUBJECT:])


def of_our_form(one: Difference) -> bool:
    """Whether a line of WeChat's may be about an order of ours: others under our merchant number have other numbers.

    One that names no order may be anybody's, and so ours.
    """
    order = one.number if one.movement == "REFUND" else one.order
    return not order or _OUR_ORDER.fullmatch(order.partition("-")[0] if one.movement == "REFUND" else order) is not None


# -- days -------------------------------------------------------------------------------------------
def days_to_state(first: date | None, today: date) -> list[date]:
    """The hospital days that should have a statement, oldest first: the last ones before today, none before ``first``.

    ``first`` is the day of the first movement; None: there was none yet.
    """
    if first is None:
        return []
    days = [today - timedelta(days=back) for back in range(DAYS_BACK, 0, -1)]
    return [day for day in days if day >= first]


def overdue(day: date, on: date) -> bool:
    """Whether what is open since the statement of ``day`` is a person's business on ``on``."""
    return on - day >= timedelta(days=OPEN_DAYS)


# -- counterparts -----------------------------------------------------------------------------------
def meets(one: Difference, other: Difference) -> bool:
    """Whether what stands on another day is exactly what this one lacks.

    As on one day: the amount and, where both name one, the order or transaction; and nothing speaks against either.
    """
    if one.odd or other.odd or (one.names and other.names and one.names != other.names):
        return False
    if one.ours_fen is not None and one.theirs_fen is not None:
        return False
    if one.theirs_fen is not None and other.ours_fen is None:  # WeChat closed a refund: what went out came in again
        return one.movement == "REFUND" and other.theirs_fen == -one.theirs_fen
    if one.theirs_fen is None:
        return other.ours_fen is None and other.theirs_fen == one.ours_fen
    return other.theirs_fen is None and other.ours_fen == one.theirs_fen


def evened_by(one: Difference, others: list[Line]) -> list[Line]:
    """Which of the lines of other days about the same movement even this one out, the oldest of them first.

    The first that :func:`meets` it; or all together, where the HIS says once what we took out in turns.
    """
    for other in others:
        if meets(one, other.difference):
            return [other]
    turns = [one, *(other.difference for other in others)]
    if (one.source, one.movement) != (HIS, "REVERSAL") or any(turn.odd for turn in turns):
        return []
    if len({turn.names for turn in turns if turn.names}) > 1:
        return []
    return others if sum((turn.ours_fen or 0) - (turn.theirs_fen or 0) for turn in turns) == 0 else []

"""Pure decisions of guidance: what goes together as one stop, and why it stands where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from hospital.guide.order import Order, Stop, Visited, Walk, weigh
from hospital.guide.plan import Place, Plan, Preparation
from hospital.runtime.clock import BEIJING, at_hospital

LONG = timedelta(minutes=2)  # what is worth a word
PHARMACY_KIND = "PRESCRIPTION"
USUAL_MINUTES = 10  # one examination takes, when nothing else is known


class Due(Struct, frozen=True):
    """Something that was paid and is still to be done. ``place`` None: the HIS's text says where."""

    name: str
    kind: str
    place: Place | None
    where: str  # as the HIS says it
    queue_code: str
    window: str = ""
    rule: Preparation | None = None


class Errand(Struct, frozen=True):
    """What is done in one go at one place. ``minutes``: how long it takes there."""

    place: Place | None
    where: str
    queue_code: str
    items: tuple[str, ...]
    rules: tuple[Preparation, ...]
    minutes: int
    window: str = ""

    @property
    def name(self) -> str:
        """How it is called in a sentence about another one."""
        return self.items[0] if len(self.items) == 1 else f"{self.items[0]}等{len(self.items)}项"

    @property
    def fasting(self) -> bool:
        """Whether any of it needs an empty stomach."""
        return any(one.fasting for one in self.rules)

    @property
    def full_bladder(self) -> bool:
        """Whether any of it needs a full bladder."""
        return any(one.full_bladder for one in self.rules)


def errands(due: Sequence[Due]) -> list[Errand]:
    """What can be done together: at one place and queue, what needs a full bladder apart."""
    groups: dict[tuple[str, str, str, bool], list[Due]] = {}
    for one in due:
        full = one.rule is not None and one.rule.full_bladder
        at = one.place.code if one.place is not None else one.where
        groups.setdefault((at, one.queue_code, one.window, full), []).append(one)
    return [Errand(some[0].place, some[0].where, some[0].queue_code, tuple(one.name for one in some),
                   tuple({one.rule.name: one.rule for one in some if one.rule is not None}.values()), _minutes(some),
                   some[0].window) for some in groups.values()]


def _minutes(some: Sequence[Due]) -> int:
    """How long it takes: at a laboratory one needle serves for all, elsewhere each takes its time."""
    each = [one.rule.minutes if one.rule is not None else USUAL_MINUTES for one in some]
    return max(each) if some[0].place is not None and some[0].place.kind == "LABORATORY" else sum(each)


def stops(some: Sequence[Errand], waits: Sequence[float | None], now: datetime, day: date) -> list[Stop]:
    """The errands as the search takes them. A place without hours is open; one that is closed that day has a past."""
    by_rule: dict[str, set[int]] = {}
    for number, one in enumerate(some):
        for rule in one.rules:
            by_rule.setdefault(rule.name, set()).add(number)
    found = []
    for number, (one, wait) in enumerate(zip(some, waits, strict=True)):
        drink = max((rule.drink_minutes for rule in one.rules if rule.full_bladder), default=0)
        after = {other for rule in one.rules for name in rule.after for other in by_rule.get(name, ())} - {number}
        found.append(Stop(
            wait=wait or 0, minutes=one.minutes, fasting=one.fasting and not one.full_bladder,
            full_bladder=one.full_bladder, ready_at=now + timedelta(minutes=drink) if drink else None,
            hours=hours_on(one.place, day), after=frozenset(after)))
    return found


def hours_on(place: Place | None, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """When a place is open on a day; empty: it is not known, or always. Closed all day: a moment in the past."""
    if place is None or not place.hours:
        return ()
    found = sorted((at_hospital(day, one.opens), at_hospital(day, one.closes))
                   for one in place.hours if day.isoweekday() in one.days)
    return tuple(found) or ((at_hospital(day, place.hours[0].opens) - timedelta(days=1),) * 2,)


def walking(plan: Plan, some: Sequence[Errand]) -> Walk:
    """Minutes between the errands; ``-1`` is where one arrives."""
    def place_of(number: int) -> Place | None:
        if number >= 0:
            return some[number].place
        return next((one for one in plan.places if one.code == plan.entrance), None)

    def minutes(one: int, other: int) -> float:
        here, there = place_of(one), place_of(other)
        if there is None:
            return plan.buildings_minutes
        if here is None:
            inside = plan.doors_minutes + abs(there.level - 1) * plan.stairs_minutes
            return inside if one < 0 else plan.buildings_minutes
        return plan.minutes_between(here, there)

    known: dict[tuple[int, int], float] = {}

    def remembered(one: int, other: int) -> float:
        if (one, other) not in known:
            known[one, other] = minutes(one, other)
        return known[one, other]

    return remembered


def clock(moment: datetime) -> str:
    """09:30 at the hospital."""
    return f"{moment.astimezone(BEIJING):%H:%M}"


def why(some: Sequence[Errand], found: Sequence[Stop], order: Order, at: int, walk: Walk, start: datetime) -> str:
    """Why a stop stands where it stands, in one sentence; what would be if it did not is reckoned, never guessed."""
    visits = order.visits
    one = visits[at]
    errand, stop = some[one.stop], found[one.stop]
    if stop.fasting and all(found[other.stop].fasting for other in visits[:at]):
        others = any(found[other.stop].fasting for other in visits[at + 1:])
        return f"要空腹，所以先做；{'做完先别吃，后面还有要空腹的' if others else '做完就可以吃东西了'}。"
    if stop.full_bladder and stop.ready_at is not None:
        last = at == len(visits) - 1 or all(found[other.stop].full_bladder for other in visits[at + 1:])
        return f"要憋尿：现在开始喝水，约{clock(stop.ready_at)}可以做{'，所以放在最后' if last else ''}。"
    if stop.after:
        names = "、".join(some[other].name for other in sorted(stop.after))
        return f"要在{names}之后做。"
    return _against_next(some, found, order, at, walk, start) or _on_the_way(errand, stop, one, at, visits, walk)


def _against_next(some: Sequence[Errand], found: Sequence[Stop], order: Order, at: int, walk: Walk, start: datetime
                  ) -> str:
    """What is gained by going here before the next one; empty when that is nothing worth a word."""
    numbers = [one.stop for one in order.visits]
    if at + 1 >= len(numbers):
        return ""
    swapped = [*numbers[:at], numbers[at + 1], numbers[at], *numbers[at + 2:]]
    other, stop = weigh(found, swapped, walk, start), found[numbers[at]]
    if other is None:
        closes = next((closes for opens, closes in stop.hours if closes >= order.visits[at].ends_at), None)
        waits = bool(found[numbers[at + 1]].after & {numbers[at]})
        return f"那里{clock(closes)}就结束，先去才来得及。" if closes is not None and not waits else ""
    if (other.hungry, other.urgent) == (order.cost.hungry, order.cost.urgent):
        gained = other.done_at - order.cost.done_at
        if gained >= LONG:
            return f"先去这里，全部做完能早约{round(gained.total_seconds() / 60)}分钟。"
    return ""


def _on_the_way(errand: Errand, stop: Stop, one: Visited, at: int, visits: Sequence[Visited], walk: Walk) -> str:
    opens = next((opens for opens, closes in stop.hours if closes >= one.ends_at), None)
    if opens is not None and opens > one.arrives_at + LONG:
        return f"那里{clock(opens)}才开始。"
    before = visits[at - 1].stop if at else -1
    minutes = round(walk(before, one.stop))
    if at and minutes <= 1:
        return "就在附近，走几步就到。"
    if at == 0:
        return "从这里开始，走的路最少，做完最早。" if len(visits) > 1 else f"从大门走过去约{max(1, minutes)}分钟。"
    return f"从上一处走过去约{max(1, minutes)}分钟，这样走的路最少。"

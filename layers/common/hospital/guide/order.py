"""In which order several examinations go: preparation first, then the earliest end, then the shortest way. Pure.

Exact up to ``EXACT`` stops: every order is weighed by way of what it leaves behind (which stops are done, where one
stands), and of two that leave the same behind only one that is worse in everything is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

EXACT = 8
KEPT = 400  # of more stops: so many beginnings are followed at each length


class Stop(Struct, frozen=True):
    """One place to go to, for one or several things at once. ``wait`` is the queue there as it is now, in minutes.

    ``hours``: when one may be there today, from–to, in order; empty: any time. ``after``: places in the list of stops.
    ``ready_at``: not before (a bladder that fills).
    """

    wait: float = 0
    minutes: float = 10
    fasting: bool = False
    full_bladder: bool = False
    ready_at: datetime | None = None
    hours: tuple[tuple[datetime, datetime], ...] = ()
    after: frozenset[int] = frozenset()


class Cost(Struct, frozen=True, order=True):
    """What an order costs, the worst first: stops that can't be done today, empty stomachs that have to wait for what
    needs none, full bladders that have to wait, when all is done, minutes on foot."""

    missed: int
    hungry: int
    urgent: int
    done_at: datetime
    walked: float


class Visited(Struct, frozen=True):
    """A stop in the order: when one is there, called in, and done."""

    stop: int
    arrives_at: datetime
    begins_at: datetime
    ends_at: datetime


class Order(Struct, frozen=True):
    """The order found; ``missed`` are stops that can't be done today any more."""

    visits: tuple[Visited, ...]
    missed: tuple[int, ...]
    cost: Cost


Walk = Callable[[int, int], float]  # minutes from a stop (-1: where one is now) to another


def visit(stop: Stop, number: int, arrives_at: datetime) -> Visited | None:
    """When one who arrives is called in and done; None when it is not to be done today any more."""
    there = max(arrives_at, stop.ready_at) if stop.ready_at is not None else arrives_at
    wait, length = timedelta(minutes=stop.wait), timedelta(minutes=stop.minutes)
    if not stop.hours:
        return Visited(number, arrives_at, there + wait, there + wait + length)
    for opens, closes in stop.hours:
        begins = max(there, opens) + wait
        if begins + length <= closes:
            return Visited(number, arrives_at, begins, begins + length)
    return None


def added(stop: Stop, done: Sequence[Stop]) -> tuple[int, int]:
    """What a stop costs at this place of an order: hungry and urgent, as in :class:`Cost`."""
    hungry = sum(not one.fasting for one in done) if stop.fasting else 0
    urgent = sum(one.full_bladder for one in done) if not stop.full_bladder else 0
    return hungry, urgent


class _Way(Struct, frozen=True):
    """A beginning of an order."""

    hungry: int
    urgent: int
    at: datetime
    walked: float
    visits: tuple[Visited, ...]

    def no_worse_than(self, other: _Way) -> bool:
        return (self.hungry <= other.hungry and self.urgent <= other.urgent and self.at <= other.at
                and self.walked <= other.walked)


def best(stops: Sequence[Stop], walk: Walk, start: datetime) -> Order:
    """The cheapest order of all stops from ``start`` on; of those alike the one that keeps to the list."""
    level: dict[tuple[int, int], list[_Way]] = {(0, -1): [_Way(0, 0, start, 0.0, ())]}
    found = list(level[0, -1])
    for _ in stops:
        following: dict[tuple[int, int], list[_Way]] = {}
        for (done, last), ways in level.items():
            for number, stop in enumerate(stops):
                if done >> number & 1 or any(not done >> one & 1 for one in stop.after):
                    continue
                for way in ways:
                    further = _go_on(way, stops, number, walk(last, number))
                    if further is not None:
                        _keep(following.setdefault((done | 1 << number, number), []), further)
        if len(stops) > EXACT:
            following = _promising(following)
        level = following
        found += [way for ways in level.values() for way in ways]
    return min((_order(way, len(stops)) for way in found),
               key=lambda order: (order.cost, [one.stop for one in order.visits]))


def weigh(stops: Sequence[Stop], order: Sequence[int], walk: Walk, start: datetime) -> Cost | None:
    """What it costs to go in exactly this order; None when that can't be."""
    way: _Way | None = _Way(0, 0, start, 0.0, ())
    for number in order:
        done = {one.stop for one in way.visits} if way else set()
        last = way.visits[-1].stop if way and way.visits else -1
        if way is None or not stops[number].after <= done:
            return None
        way = _go_on(way, stops, number, walk(last, number))
    return _order(way, len(stops)).cost if way is not None else None


def _go_on(way: _Way, stops: Sequence[Stop], number: int, minutes: float) -> _Way | None:
    there = visit(stops[number], number, way.at + timedelta(minutes=minutes))
    if there is None:
        return None
    hungry, urgent = added(stops[number], [stops[one.stop] for one in way.visits])
    return _Way(way.hungry + hungry, way.urgent + urgent, there.ends_at, way.walked + minutes, (*way.visits, there))


def _keep(ways: list[_Way], new: _Way) -> None:
    if any(one.no_worse_than(new) for one in ways):
        return
    ways[:] = [one for one in ways if not new.no_worse_than(one)]
    ways.append(new)


def _promising(level: dict[tuple[int, int], list[_Way]]) -> dict[tuple[int, int], list[_Way]]:
    ranked = sorted(((way.hungry, way.urgent, way.at, way.walked), state, at)
                    for state, ways in level.items() for at, way in enumerate(ways))[:KEPT]
    kept: dict[tuple[int, int], list[_Way]] = {}
    for _, state, at in ranked:
        kept.setdefault(state, []).append(level[state][at])
    return kept


def _order(way: _Way, number: int) -> Order:
    done = {one.stop for one in way.visits}
    missed = tuple(one for one in range(number) if one not in done)
    return Order(way.visits, missed, Cost(len(missed), way.hungry, way.urgent, way.at, way.walked))

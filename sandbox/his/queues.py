"""The screens of the waiting areas: who is called, who waits, who was called and did not come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sandbox.clock import Clock
from sandbox.his.catalogue import PLACES
from sandbox.his.checkin import CheckIns
from sandbox.his.model import Refused, Registration
from sandbox.his.registrations import Registrations
from sandbox.his.sessions import Sessions
from sandbox.his.wire import show

LAST_CALLS = 30  # that are told


@dataclass
class _Line:
    """What a queue has beside the registrations that have checked in: walk-ins, and what was called."""

    walk_ins: list[str] = field(default_factory=list)
    calls: list[tuple[str, datetime]] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    skipped: set[datetime] = field(default_factory=set)  # calls that nobody came to
    paused: bool = False
    tells_calls: bool = True
    seconds_each: int | None = None
    made: int = 0  # walk-ins so far


class Queues:
    """A queue for each session, and one for each department that carries out orders. The owner holds its lock."""

    def __init__(self, clock: Clock, seed: int, sessions: Sessions, registrations: Registrations,
                 check_ins: CheckIns) -> None:
        self._clock, self._seed = clock, seed
        self._sessions, self._registrations, self._check_ins = sessions, registrations, check_ins
        self._lines: dict[str, _Line] = {}

    def show(self, code: str) -> dict[str, Any]:
        """The operation: a queue as it is now. Raises Refused QUEUE_UNKNOWN."""
        line, now = self._line(code), self._clock.now()
        line.calls = [one for one in line.calls if now - one[1] < timedelta(hours=12)]  # today's
        called = self._in_the_room(line)
        shown: dict[str, Any] = {
            "queue_code": code, "as_of": show(now), "state": self._state(code, line, now),
            "calling": {"number": called[0], "called_at": show(called[1])} if called else None,
            "waiting": self._waiting(code, line), "passed": line.passed, "seconds_each": line.seconds_each}
        if line.tells_calls:
            shown["calls"] = [{"number": number, "called_at": show(at)} for number, at in line.calls[-LAST_CALLS:]]
        return shown

    # -- what the staff does ------------------------------------------------------------------------
    def call(self, code: str) -> str:
        """Call the next one in. Raises Refused NOBODY_WAITS."""
        line = self._line(code)
        number = next(iter(self._waiting(code, line)), None)
        if number is None:
            raise Refused("NOBODY_WAITS", "没有候诊的患者")
        registration = self._by_number(code, number)
        if registration is not None:
            self._check_ins.see(registration.trade_no)
        else:
            line.walk_ins.remove(number)
        self.called(code, number)
        return number

    def called(self, code: str, number: str) -> None:
        """Somebody was called in, by whichever hand."""
        self._line(code).calls.append((number, self._clock.now()))

    def skip(self, code: str) -> str:
        """Who was called did not come (过号). Raises Refused NOBODY_CALLED."""
        line = self._line(code)
        called = self._in_the_room(line)
        if called is None:
            raise Refused("NOBODY_CALLED", "还没有叫过号")
        line.skipped.add(called[1])
        line.passed.append(called[0])
        return called[0]

    def back(self, code: str, number: str) -> None:
        """Who had been called and did not come waits again. Raises Refused NOT_PASSED."""
        line = self._line(code)
        if number not in line.passed:
            raise Refused("NOT_PASSED", "该号没有过号")
        line.passed.remove(number)
        registration = next((one for one in self._registrations.all() if one.slot is not None and one.arrival
                             and one.slot.schedule.code == code and one.arrival.queue_number == number), None)
        if registration is not None:
            self._check_ins.again(registration)
        else:
            line.walk_ins.append(number)

    def pause(self, code: str, *, paused: bool) -> None:
        """The doctor is away for a while, or back."""
        self._line(code).paused = paused

    def crowd(self, code: str, number: int) -> None:
        """So many walk-ins wait, before everybody who has registered."""
        line = self._line(code)
        line.walk_ins = line.walk_ins[:number]
        while len(line.walk_ins) < number:
            line.made += 1
            line.walk_ins.append(f"W{line.made:03d}")

    def tell(self, code: str, *, calls: bool, seconds_each: int | None) -> None:
        """Whether this HIS tells earlier calls, and how long one takes."""
        line = self._line(code)
        line.tells_calls, line.seconds_each = calls, seconds_each

    @staticmethod
    def _in_the_room(line: _Line) -> tuple[str, datetime] | None:
        return next((one for one in reversed(line.calls) if one[1] not in line.skipped), None)

    # -- inside -------------------------------------------------------------------------------------
    def _line(self, code: str) -> _Line:
        if code not in self._lines:
            if code in PLACES:
                rng = Random(f"queue {self._seed} {code}")
                line = _Line(seconds_each=rng.randint(3, 8) * 60)
                self._lines[code] = line
                self.crowd(code, rng.randint(0, 6))
            elif self._sessions.schedule(code) is not None:
                self._lines[code] = _Line()
            else:
                raise Refused("QUEUE_UNKNOWN", "没有这个队列", 404)
        return self._lines[code]

    def _state(self, code: str, line: _Line, now: datetime) -> str:
        session = self._sessions.schedule(code) if code not in PLACES else None
        if session is not None and (session.state == "STOPPED" or now >= session.ends_at + timedelta(hours=2)):
            return "OVER"
        if line.paused:
            return "PAUSED"
        return "CALLING" if line.calls or session is None else "NOT_STARTED"

    def _waiting(self, code: str, line: _Line) -> list[str]:
        return [*line.walk_ins, *(one.arrival.queue_number for one in self._check_ins.waiting(code) if one.arrival)]

    def _by_number(self, code: str, number: str) -> Registration | None:
        return next((one for one in self._check_ins.waiting(code) if one.arrival
                     and one.arrival.queue_number == number), None)

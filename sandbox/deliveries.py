"""Messages that an outside system pushes: repeated until they are taken, held or lost on demand.

The schedule runs in sandbox time: a leap of the clock fires all that it passes.
"""

from __future__ import annotations

import heapq
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timezone
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import requests

from sandbox.system import World

_log = logging.getLogger(__name__)

TAKEN = (200, 204)
ANSWER_WITHIN_SECONDS = 5.0
_STORM_WORKERS = 32
Stamp = Callable[[str, bytes], dict[str, str]]


@dataclass
class Message:
    """One message and its deliveries. ``body`` is the same each time; headers are made anew."""

    id: str
    url: str
    body: bytes
    facts: dict[str, Any]  # for people and the journal: ids, never personal data
    due: float  # of the first delivery, sandbox seconds
    lost: bool = False
    done: bool = False
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def view(self) -> dict[str, Any]:
        """For a control interface; a delivery's status None means that no answer came."""
        return {"id": self.id, "url": self.url, **self.facts, "deliveries": list(self.deliveries),
                "done": self.done, "lost": self.lost}


@dataclass(order=True)
class _Delivery:
    due: float
    number: int
    message: Message = field(compare=False)
    attempt: int | None = field(compare=False)  # place in the schedule; None: an extra copy, never repeated
    late: bool = field(default=False, compare=False)  # the one before it got no answer in time


class Deliveries:
    """All messages of one system. ``stamp(url, body)`` gives a delivery's headers; ``retry_seconds`` are
    the pauses from one delivery to the next; ``operation`` names the deliveries in the journal; ``workers``
    send at once.
    """

    def __init__(self, world: World, system: str, operation: str, *, stamp: Stamp,
                 retry_seconds: tuple[int, ...], workers: int = 4) -> None:
        self._clock = world.clock
        self._journal = world.journal
        self._names = system, operation
        self._stamp = stamp
        self._retry_seconds = retry_seconds
        self._lock = threading.RLock()
        self._messages: dict[str, Message] = {}
        self._due: list[_Delivery] = []
        self._held: list[_Delivery] = []
        self._numbers = count()
        self._in_flight = 0
        self._mode = {"hold": False, "reorder": False, "drop": False, "duplicate": False}
        self._pool = ThreadPoolExecutor(workers, f"{system}-{operation}")
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    # -- life -----------------------------------------------------------------------------------
    def start(self) -> None:
        """Deliver what falls due from now on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="-".join(self._names), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop; what was not delivered stays so."""
        with self._lock:
            self._stopped.set()
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                wake = self._due[0].due if self._due else self._clock.timestamp() + 1
            self._clock.wait_until(wake, self._stopped)
            self.run_due()

    # -- what the system says -------------------------------------------------------------------
    def send(self, number: str, url: str, body: bytes, facts: dict[str, Any], *, due: float | None = None,
             lost: bool = False, copies: int = 1) -> Message:
        """Push a message (at ``due``, sandbox seconds; else now), and again on the schedule until it is taken.

        ``copies`` beyond the first are duplicates that are not repeated; a ``lost`` one is never delivered.
        """
        message = Message(number, url, body, facts, self._clock.timestamp() if due is None else due, lost)
        with self._lock:
            self._messages[number] = message
            if not lost:
                self._push(message, message.due, 0)
                for _ in range(copies - 1 + self._mode["duplicate"]):
                    self._push(message, message.due, None)
        self.run_due()
        return message

    def keep(self, number: str, url: str, body: bytes, facts: dict[str, Any]) -> Message:
        """Remember a message that goes out only when it is ordered (``storm``)."""
        with self._lock:
            message = self._messages[number] = Message(number, url, body, facts, self._clock.timestamp())
        return message

    def run_due(self) -> None:
        """Send (or hold, or lose) everything whose time has come."""
        with self._lock:
            if self._stopped.is_set():
                return
            now = self._clock.timestamp()
            while self._due and self._due[0].due <= now:
                delivery = heapq.heappop(self._due)
                if self._mode["drop"]:
                    delivery.message.lost = not delivery.message.done
                elif self._mode["hold"]:
                    self._held.append(delivery)
                else:
                    self._submit(delivery)

    # -- what a control interface orders --------------------------------------------------------
    def set_mode(self, **changes: bool) -> dict[str, Any]:
        """``drop`` loses deliveries; ``duplicate`` sends new messages twice; ``hold`` collects
        deliveries, and its end sends them, shuffled if ``reorder``. Raises ValueError for another name.
        """
        unknown = changes.keys() - self._mode.keys()
        if unknown:
            raise ValueError(f"no such mode: {', '.join(sorted(unknown))}")
        with self._lock:
            self._mode.update(changes)
            if not self._mode["hold"]:
                held, self._held = self._held, []
                if self._mode["reorder"]:
                    random.shuffle(held)
                for delivery in held:
                    self._submit(delivery)
            return {**self._mode, "held": len(self._held)}

    def forget(self) -> None:
        """Drop all that is due or held, and the list of what was sent."""
        with self._lock:
            self._due, self._held = [], []
            self._messages.clear()

    def settle(self, timeout: float) -> dict[str, Any]:
        """Wait up to ``timeout`` real seconds until nothing is due or in flight."""
        end = time.monotonic() + timeout
        while True:
            self.run_due()
            with self._lock:
                due = bool(self._due) and self._due[0].due <= self._clock.timestamp()
                settled = self._in_flight == 0 and not due
                if settled or time.monotonic() >= end:
                    return {"settled": settled, "in_flight": self._in_flight, "held": len(self._held),
                            "later": len(self._due)}
            time.sleep(0.01)

    def hurry(self) -> None:
        """Make due at once what got no answer in time: on a slow machine that is no answer yet."""
        with self._lock:
            for delivery in self._due:
                if delivery.late:
                    delivery.due = min(delivery.due, self._clock.timestamp())
            heapq.heapify(self._due)

    def listing(self) -> list[dict[str, Any]]:
        """Every message whose time has come, oldest first."""
        with self._lock:
            return [message.view() for message in self._come()]

    def get(self, number: str) -> Message | None:
        """The message with this id."""
        with self._lock:
            return self._messages.get(number)

    def about(self, **facts: Any) -> list[Message]:
        """Every message with these facts whose time has come, oldest first."""
        with self._lock:
            return [message for message in self._come() if facts.items() <= message.facts.items()]

    def storm(self, messages: Sequence[Message], *, parallel: bool) -> list[int | None]:
        """Deliver these now, whatever the mode, all at once or one by one; the answers' statuses."""
        workers = min(len(messages), _STORM_WORKERS) if parallel else 1
        with ThreadPoolExecutor(max(workers, 1), "-".join((*self._names, "storm"))) as pool:
            return list(pool.map(self._deliver, messages))

    def _come(self) -> list[Message]:
        now = self._clock.timestamp()
        return [message for message in self._messages.values() if message.due <= now]

    # -- sending --------------------------------------------------------------------------------
    def _push(self, message: Message, due: float, attempt: int | None, late: bool = False) -> None:
        heapq.heappush(self._due, _Delivery(due, next(self._numbers), message, attempt, late))

    def _submit(self, delivery: _Delivery) -> None:
        if delivery.attempt and delivery.message.done:
            return  # a repetition that is no longer needed
        self._in_flight += 1
        self._pool.submit(self._work, delivery)

    def _work(self, delivery: _Delivery) -> None:
        started, status = time.monotonic(), None
        try:
            status = self._deliver(delivery.message)
        except Exception:  # nobody reads this future: say it here
            _log.exception("delivery of %s failed", delivery.message.id)
        finally:
            with self._lock:
                self._in_flight -= 1
                attempt, message = delivery.attempt, delivery.message
                wanted = self._messages.get(message.id) is message and not message.done
                if wanted and attempt is not None and attempt < len(self._retry_seconds):
                    # Counted from when this delivery was due, so a leap of the clock fires all it passes.
                    self._push(message, delivery.due + self._retry_seconds[attempt], attempt + 1,
                               status is None and time.monotonic() - started >= ANSWER_WITHIN_SECONDS)
        self.run_due()

    def _deliver(self, message: Message) -> int | None:
        started, at = time.perf_counter(), self._clock.now()
        status = post(message.url, message.body, self._stamp(message.url, message.body))
        with self._lock:
            message.deliveries.append({"at": at.astimezone(timezone.utc).isoformat(), "status": status})
            message.done = message.done or status in TAKEN
        system, operation = self._names
        self._journal.append({
            "at": at.isoformat(), "system": system, "operation": operation, "method": "POST",
            "path": urlsplit(message.url).path, "status": status, "fault": None,
            "ms": round((time.perf_counter() - started) * 1000, 1), **message.facts,
        })
        return status


def post(url: str, body: bytes, headers: dict[str, str]) -> int | None:
    """The status that an address answers; None when no answer came in time."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.post(url, data=body, headers=headers, timeout=ANSWER_WITHIN_SECONDS,
                                allow_redirects=False).status_code
        except requests.RequestException:
            return None  # recorded as such, and repeated on the schedule

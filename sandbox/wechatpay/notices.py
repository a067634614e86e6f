"""Notices: sent in parallel, repeated on WeChat Pay's schedule in sandbox time, held or lost on demand."""

from __future__ import annotations

import heapq
import json
import logging
import random
import secrets
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import requests

from sandbox.system import World
from sandbox.wechatpay.keys import Keys
from sandbox.wechatpay.models import BEIJING, written

_log = logging.getLogger(__name__)

# Seconds between one delivery and the next: 24 h 4 min in all.
RETRY_SECONDS = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
ANSWER_WITHIN_SECONDS = 5
_WORKERS = 8
_STORM_WORKERS = 32


@dataclass
class Notice:
    """One notice and its deliveries. ``body`` is the same each time; the signature is made anew."""

    id: str
    event_type: str
    out_trade_no: str
    url: str
    body: bytes
    due: float  # of the first delivery, sandbox seconds
    lost: bool = False
    done: bool = False
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def view(self) -> dict[str, Any]:
        """For the control interface; status None: no answer came."""
        return {"id": self.id, "event_type": self.event_type, "out_trade_no": self.out_trade_no,
                "deliveries": list(self.deliveries), "done": self.done, "lost": self.lost}


@dataclass(order=True)
class _Delivery:
    due: float
    number: int
    notice: Notice = field(compare=False)
    attempt: int | None = field(compare=False)  # place in the schedule; None: an extra copy, never repeated


class Notices:
    """All notices. State changes under the system's ``lock``; sending happens outside it."""

    def __init__(self, world: World, lock: threading.RLock, keys: Keys) -> None:
        self._clock = world.clock
        self._journal = world.journal
        self._lock = lock
        self._keys = keys
        self._notices: dict[str, Notice] = {}
        self._due: list[_Delivery] = []
        self._held: list[_Delivery] = []
        self._numbers = count()
        self._in_flight = 0
        self._hold = self._drop = False
        self._shuffle = True
        self._pool = ThreadPoolExecutor(_WORKERS, "wechatpay-notice")
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    # -- life -----------------------------------------------------------------------------------
    def start(self) -> None:
        """Deliver what falls due from now on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="wechatpay-notices", daemon=True)
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
    def announce(
        self, event_type: str, summary: str, out_trade_no: str, url: str, content: dict[str, Any],
        at: datetime, *, lost: bool = False, copies: int = 1,
    ) -> Notice:
        """Tell the merchant at ``at``. ``copies`` beyond the first are duplicates that are not repeated."""
        kind = event_type.partition(".")[0].lower()
        number = f"EV-{at.astimezone(BEIJING):%Y%m%d%H%M%S}{secrets.randbelow(10**9):09d}"
        body = json.dumps({
            "id": number, "create_time": written(at), "resource_type": "encrypt-resource",
            "event_type": event_type, "summary": summary, "resource": self._keys.seal(content, kind),
        }, ensure_ascii=False, separators=(",", ":")).encode()
        notice = Notice(number, event_type, out_trade_no, url, body, at.timestamp(), lost)
        with self._lock:
            self._notices[number] = notice
            if not lost:
                self._push(notice, notice.due, 0)
                for _ in range(copies - 1):
                    self._push(notice, notice.due, None)
        self.run_due()
        return notice

    def run_due(self) -> None:
        """Send (or hold, or lose) everything whose time has come."""
        with self._lock:
            if self._stopped.is_set():
                return
            now = self._clock.timestamp()
            while self._due and self._due[0].due <= now:
                delivery = heapq.heappop(self._due)
                if self._drop:
                    delivery.notice.lost = True
                elif self._hold:
                    self._held.append(delivery)
                else:
                    self._submit(delivery)

    # -- what the control interface orders ------------------------------------------------------
    def set_mode(self, hold: bool | None, reorder: bool | None, drop: bool | None) -> dict[str, Any]:
        """``hold`` collects deliveries; its end sends them, shuffled if ``reorder``; ``drop`` loses them."""
        with self._lock:
            self._hold = self._hold if hold is None else hold
            self._shuffle = self._shuffle if reorder is None else reorder
            self._drop = self._drop if drop is None else drop
            if not self._hold:
                held, self._held = self._held, []
                if self._shuffle:
                    random.shuffle(held)
                for delivery in held:
                    self._submit(delivery)
            return {"hold": self._hold, "reorder": self._shuffle, "drop": self._drop, "held": len(self._held)}

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

    def listing(self) -> list[dict[str, Any]]:
        """Every notice whose time has come, oldest first."""
        with self._lock:
            now = self._clock.timestamp()
            return [notice.view() for notice in self._notices.values() if notice.due <= now]

    def get(self, number: str) -> Notice | None:
        """The notice with this id."""
        with self._lock:
            return self._notices.get(number)

    def of_order(self, out_trade_no: str) -> list[Notice]:
        """Every notice about this order (payment and refunds) whose time has come."""
        with self._lock:
            now = self._clock.timestamp()
            return [notice for notice in self._notices.values()
                    if notice.out_trade_no == out_trade_no and notice.due <= now]

    def storm(self, notices: Sequence[Notice], parallel: bool) -> list[dict[str, Any]]:
        """Deliver these now, whatever the mode, all at once or one by one; waits for the answers."""
        workers = min(len(notices), _STORM_WORKERS) if parallel else 1
        with ThreadPoolExecutor(max(workers, 1), "wechatpay-storm") as pool:
            statuses = list(pool.map(self._deliver, notices))
        return [{"id": notice.id, "event_type": notice.event_type, "status": status}
                for notice, status in zip(notices, statuses, strict=True)]

    def probe(self, url: str) -> int | None:
        """The status the endpoint answers to a notice with a signature that must fail; None: no answer."""
        now = self._clock.now()
        body = json.dumps({
            "id": "EV-SIGNTEST", "create_time": written(now), "resource_type": "encrypt-resource",
            "event_type": "TRANSACTION.SUCCESS", "summary": "签名探测",
            "resource": self._keys.seal({}, "transaction"),
        }, ensure_ascii=False).encode()
        return self._post(url, body, probe=True)

    # -- sending --------------------------------------------------------------------------------
    def _push(self, notice: Notice, due: float, attempt: int | None) -> None:
        heapq.heappush(self._due, _Delivery(due, next(self._numbers), notice, attempt))

    def _submit(self, delivery: _Delivery) -> None:
        if delivery.attempt and delivery.notice.done:
            return  # a repetition that is no longer needed
        self._in_flight += 1
        self._pool.submit(self._work, delivery)

    def _work(self, delivery: _Delivery) -> None:
        try:
            self._deliver(delivery.notice)
        except Exception:  # nobody reads this future: say it here
            _log.exception("delivery of notice %s failed", delivery.notice.id)
        finally:
            with self._lock:
                self._in_flight -= 1
                attempt, notice = delivery.attempt, delivery.notice
                if not notice.done and attempt is not None and attempt < len(RETRY_SECONDS):
                    # Counted from when this delivery was due, so a leap of the clock fires all it passes.
                    self._push(notice, delivery.due + RETRY_SECONDS[attempt], attempt + 1)
        self.run_due()

    def _deliver(self, notice: Notice) -> int | None:
        started = time.perf_counter()
        at = self._clock.now()
        status = self._post(notice.url, notice.body)
        with self._lock:
            notice.deliveries.append({"at": written(at), "status": status})
            notice.done = notice.done or status in (200, 204)
        self._journal.append({
            "at": at.isoformat(), "system": "wechatpay", "operation": "notice", "method": "POST",
            "path": urlsplit(notice.url).path, "status": status, "fault": None,
            "ms": round((time.perf_counter() - started) * 1000, 1),
            "event_type": notice.event_type, "out_trade_no": notice.out_trade_no,
        })
        return status

    def _post(self, url: str, body: bytes, probe: bool = False) -> int | None:
        headers = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "Mozilla/4.0",
                   "Request-ID": secrets.token_hex(16), **self._keys.stamp(body, self._clock.now(), probe)}
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.post(url, data=body, headers=headers, timeout=ANSWER_WITHIN_SECONDS,
                                    allow_redirects=False).status_code
            except requests.RequestException:
                return None  # no answer in time: recorded as such, and repeated on the schedule

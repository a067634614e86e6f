"""Notices: encrypted, signed, and repeated on WeChat Pay's schedule in sandbox time."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sandbox import overrides
from sandbox.deliveries import Deliveries, Message, post
from sandbox.system import World
from sandbox.wechatpay.keys import Keys
from sandbox.wechatpay.models import BEIJING, written

# Seconds between one delivery and the next: 24 h 4 min in all.
RETRY_SECONDS = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
OPERATIONS = {"TRANSACTION": "payment_notice", "REFUND": "refund_notice"}  # as overrides call their content
ENVELOPE = "notice_envelope"
_WORKERS = 8


class Notices:
    """All notices: what they say, and how it is sealed; ``deliveries`` brings them."""

    def __init__(self, world: World, keys: Keys) -> None:
        self._clock = world.clock
        self._faults = world.faults
        self._keys = keys
        self.deliveries = Deliveries(world, "wechatpay", "notice", stamp=self._stamp, retry_seconds=RETRY_SECONDS,
                                     workers=_WORKERS)
        self.next_late, self.next_lost = 0.0, False  # what becomes of the next one about a payment

    # -- what the system says -------------------------------------------------------------------
    def announce(
        self, event_type: str, summary: str, out_trade_no: str, url: str, content: dict[str, Any],
        at: datetime, *, lost: bool = False, copies: int = 1,
    ) -> None:
        """Tell the merchant at ``at``; overrides in force now change what is said then.

        ``copies`` beyond the first are duplicates that are not repeated.
        """
        said, number = _text(content), _number(at)
        told, _ = self._faults.overridden("wechatpay", OPERATIONS[event_type.partition(".")[0]], lambda: said, content)
        envelope = self._envelope(number, event_type, summary, _text(told), at)
        envelope, _ = self._faults.overridden("wechatpay", ENVELOPE, lambda: said, envelope)
        self.deliveries.send(number, url, _text(envelope).encode(), _facts(event_type, out_trade_no),
                             due=at.timestamp(), lost=lost, copies=copies)

    def next_fate(self) -> tuple[timedelta, bool]:
        """How late the next notice about a payment comes, and whether it is lost; the one after it comes as usual."""
        fate = timedelta(seconds=self.next_late), self.next_lost
        self.next_late, self.next_lost = 0.0, False
        return fate

    # -- what the control interface orders ------------------------------------------------------
    def say(self, url: str, event_type: str, plain: str, out_trade_no: str, envelope: dict[str, Any]
            ) -> tuple[str, int | None]:
        """Send ``plain`` at once as a notice, never repeated: its id, and the status answered (None: no answer).

        ``envelope`` is what to override around the sealed content. Raises ValueError when it can't be applied.
        """
        if envelope:
            overrides.check(envelope)
        now = self._clock.now()
        number = _number(now)
        around, _ = overrides.applied(self._envelope(number, event_type, "通知", plain, now), envelope)
        message = self.deliveries.keep(number, url, _text(around).encode(), _facts(event_type, out_trade_no))
        return number, self.deliveries.storm([message], parallel=False)[0]

    def storm(self, notices: Sequence[Message], parallel: bool) -> list[dict[str, Any]]:
        """Deliver these now, whatever the mode, all at once or one by one; waits for the answers."""
        return [{"id": notice.id, "event_type": notice.facts["event_type"], "status": status}
                for notice, status in zip(notices, self.deliveries.storm(notices, parallel=parallel), strict=True)]

    def settle(self, timeout: float) -> dict[str, Any]:
        """Wait up to ``timeout`` real seconds until nothing is due or in flight."""
        return self.deliveries.settle(timeout)

    def probe(self, url: str) -> int | None:
        """The status the endpoint answers to a notice with a signature that must fail; None: no answer."""
        body = _text(self._envelope("EV-SIGNTEST", "TRANSACTION.SUCCESS", "签名探测", "{}", self._clock.now())).encode()
        return post(url, body, self._headers(body, probe=True))

    # -- inside ---------------------------------------------------------------------------------
    def _envelope(self, number: str, event_type: str, summary: str, plain: str, at: datetime) -> dict[str, Any]:
        kind = event_type.partition(".")[0].lower()
        return {"id": number, "create_time": written(at), "resource_type": "encrypt-resource",
                "event_type": event_type, "summary": summary, "resource": self._keys.seal_text(plain, kind)}

    def _stamp(self, url: str, body: bytes) -> dict[str, str]:
        return self._headers(body, probe=False)

    def _headers(self, body: bytes, *, probe: bool) -> dict[str, str]:
        return {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "Mozilla/4.0",
                "Request-ID": secrets.token_hex(16), **self._keys.stamp(body, self._clock.now(), probe)}


def _facts(event_type: str, out_trade_no: str) -> dict[str, Any]:
    return {"event_type": event_type, "out_trade_no": out_trade_no}


def _number(at: datetime) -> str:
    return f"EV-{at.astimezone(BEIJING):%Y%m%d%H%M%S}{secrets.randbelow(10**9):09d}"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

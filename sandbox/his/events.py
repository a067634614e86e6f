"""What the HIS tells the caller by itself: signed events, repeated until they are taken."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from sandbox.deliveries import Deliveries
from sandbox.his.model import BEIJING
from sandbox.his.signing import CLIENT, NONCE, SIGNATURE, TIMESTAMP, sign_request
from sandbox.his.wire import show
from sandbox.system import World

TYPES = ("BILL_CREATED", "BILL_CHANGED", "BILL_CANCELLED", "BILL_PAID_AT_DESK", "DESK_REFUND_REQUESTED",
         "ITEM_EXECUTED", "PATIENT_CHANGED", "REGISTRATION_CANCELLED", "SESSION_CHANGED", "SESSION_STOPPED")
SENDER = "his"  # the client id that the HIS signs with
RETRY_SECONDS = (10, 60, 300, 1800, 7200)


class Events:
    """The events. Without a ``url`` nothing is told."""

    def __init__(self, world: World, key: str, url: str) -> None:
        self._clock = world.clock
        self._faults = world.faults
        self._key = key
        self.url = url
        self.deliveries = Deliveries(world, "his", "event", stamp=self._stamp, retry_seconds=RETRY_SECONDS)

    def tell(self, type_: str, patient_code: str | None, **ids: str | None) -> None:
        """Push one event; of patient and ``ids`` (bill_no, refund_no, trade_no, schedule_code) None is left out.

        Overrides in force now change what it says.
        """
        if not self.url:
            return
        now = self._clock.now()
        number = f"EV{now.astimezone(BEIJING):%Y%m%d%H%M%S}{secrets.token_hex(8)}"
        named = {"patient_code": patient_code, **ids}
        facts = {"type": type_, **{name: value for name, value in named.items() if value is not None}}
        event = {"event_id": number, "occurred_at": show(now), **facts}
        told, _ = self._faults.overridden(SENDER, "event", lambda: json.dumps(event), event)
        self.deliveries.send(number, self.url, json.dumps(told, ensure_ascii=False).encode(), facts)

    def say(self, body: str) -> int | None:
        """Send a body of any content at once, rightly signed, never repeated; the status answered."""
        message = self.deliveries.keep(f"EV-{secrets.token_hex(8)}", self.url, body.encode(), {"type": None})
        return self.deliveries.storm([message], parallel=False)[0]

    def settle(self, timeout: float) -> dict[str, Any]:
        """Wait up to ``timeout`` real seconds until nothing is due or in flight."""
        return self.deliveries.settle(timeout)

    def _stamp(self, url: str, body: bytes) -> dict[str, str]:
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        timestamp, nonce = str(int(self._clock.timestamp())), secrets.token_hex(16)
        return {"Content-Type": "application/json", CLIENT: SENDER, TIMESTAMP: timestamp, NONCE: nonce,
                SIGNATURE: sign_request(self._key, "POST", path, timestamp, nonce, body)}

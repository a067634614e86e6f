"""WeChat Pay's notices: lost, late, twice, out of order, about nothing we know, and forged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests

from sandbox.phone import Control
from tests.faults.conftest import Sql, Visit


def captures(visit: Visit) -> int:
    """How often the order's money was booked as received."""
    return int(visit.sql("SELECT COUNT(*) FROM ledger l JOIN payments p ON p.id = l.payment_id "
                         "WHERE p.subject_id = %s AND l.movement = 'CAPTURE'", (visit.id,))[0][0])


# -- lost, late, twice, out of order ----------------------------------------------------------------
def test_a_payment_whose_notice_is_lost_is_asked_for(visit: Visit) -> None:
    visit.held_and_paid(notify=False)
    visit.control.settle()
    assert visit.state == "AWAITING_PAYMENT"
    visit.work()
    visit.check("CONFIRMED")


def test_a_late_notice_confirms(visit: Visit) -> None:
    visit.control("POST", "/wechatpay/notices/mode", hold=True)
    visit.held_and_paid()
    visit.control.settle()
    assert visit.state == "AWAITING_PAYMENT"
    visit.control("POST", "/wechatpay/notices/mode", hold=False)
    visit.control.settle()
    visit.check("CONFIRMED")


def test_a_notice_after_the_question_changes_nothing(visit: Visit) -> None:
    visit.control("POST", "/wechatpay/notices/mode", hold=True)
    visit.held_and_paid()
    visit.work()
    visit.check("CONFIRMED")
    visit.control("POST", "/wechatpay/notices/mode", hold=False)
    visit.work()
    visit.check("CONFIRMED")
    assert captures(visit) == 1


def test_a_notice_that_comes_five_times_counts_once(visit: Visit) -> None:
    visit.held_and_paid(copies=5)
    visit.work()
    visit.check("CONFIRMED")
    assert captures(visit) == 1


def test_notices_out_of_order_end_like_those_in_order(visit: Visit) -> None:
    visit.control("POST", "/wechatpay/notices/mode", hold=True, reorder=True)
    visit.held_and_paid(copies=3)
    visit.work()
    visit.cancel()
    visit.work()
    visit.check("CANCELLED")
    visit.control("POST", "/wechatpay/notices/mode", hold=False, reorder=True)
    visit.work()
    visit.check("CANCELLED")
    statuses = {delivery["status"] for notice in visit.control("GET", "/wechatpay/notices")
                if notice["out_trade_no"] == visit.out_trade_no for delivery in notice["deliveries"]}
    assert statuses == {204}


def test_a_refund_whose_notice_is_lost_is_asked_for(visit: Visit) -> None:
    visit.held_and_paid()
    visit.work()
    visit.control("POST", "/wechatpay/notices/mode", drop=True)
    visit.cancel()
    visit.work()
    visit.check("CANCELLED")
    assert visit.shown()["refunds"][0]["state"] == "SUCCEEDED"


# -- about nothing we know --------------------------------------------------------------------------
def test_money_for_an_order_nobody_knows_is_a_staff_task(visit: Visit) -> None:
    visit.control("POST", "/wechatpay/notices/mode", hold=True)
    visit.held_and_paid()
    number = visit.out_trade_no
    visit.sql("UPDATE payments SET out_trade_no = %s WHERE out_trade_no = %s", ("lost", number))
    visit.control("POST", "/wechatpay/notices/mode", hold=False)
    visit.control.settle()
    assert visit.sql("SELECT kind FROM staff_tasks WHERE subject_id = %s AND state = 'OPEN'",
                     (number,)) == [("payment.unknown-order",)]
    visit.sql("UPDATE payments SET out_trade_no = %s WHERE out_trade_no = 'lost'", (number,))
    visit.work()
    visit.check("CONFIRMED")


def test_money_of_another_amount_is_refunded_and_a_staff_task(visit: Visit) -> None:
    visit.book()
    assert visit.open()
    visit.sql("UPDATE payments SET amount_fen = 2400 WHERE subject_id = %s", (visit.id,))
    visit.sql("UPDATE bookings SET fee_fen = 2400 WHERE id = %s", (visit.id,))
    visit.pay()
    visit.work()
    assert [kind for kind, _ in visit.tasks()] == ["payment.amount-differs"]
    visit.check("REJECTED")
    assert visit.order()["refunded_fen"] == 2500


# -- forged -----------------------------------------------------------------------------------------
@pytest.fixture
def genuine(control: Control) -> Iterator[tuple[dict[str, str], bytes]]:
    """Headers and body of a notice with WeChat Pay's own signature: a probe's, its mark taken off."""
    seen: list[tuple[dict[str, str], bytes]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(401)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        control("POST", "/wechatpay/probes", notify_url=f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
    headers, body = seen[0]
    yield {name: value.removeprefix("WECHATPAY/SIGNTEST/") for name, value in headers.items()
           if name.startswith(("Wechatpay", "Content-Type"))}, body


def deliver(control: Control, headers: dict[str, str], body: bytes, kind: str = "payment") -> requests.Response:
    """Bring a notice to our door."""
    return requests.post(f"{control.addresses['scf']}/api/pay_callback/notices/{kind}", data=body, headers=headers,
                         timeout=30)


def refusals(control: Control) -> list[str]:
    """Why notices were refused, as the function logged it, the last one last."""
    lines = control("GET", "/scf/logs/pay_callback?tail=40")["lines"]
    return [line.split('"reason": "', 1)[1].split('"', 1)[0] for line in lines if "notice.refused" in line]


CERTIFICATE = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
Notice = tuple[dict[str, str], bytes]
# What a forger changes, and why that is refused.
FORGERIES: dict[str, tuple[Callable[[dict[str, str], bytes], Notice], str]] = {
    "another-body": (lambda h, b: (h, b.replace(b"TRANSACTION", b"TRANSACTIOM")), "does not verify"),
    "another-signature": (lambda h, b: ({**h, "Wechatpay-Signature": "AAAA" + h["Wechatpay-Signature"][4:]}, b),
                          "does not verify"),
    "another-nonce": (lambda h, b: ({**h, "Wechatpay-Nonce": "0" * 32}, b), "does not verify"),
    "no-signature": (lambda h, b: ({**h, "Wechatpay-Signature": ""}, b), "does not verify"),
    "no-headers": (lambda h, b: ({}, b), "stale"),
    "serial-of-a-certificate": (lambda h, b: ({**h, "Wechatpay-Serial": CERTIFICATE}, b), "another key"),
    "timestamp-of-tomorrow": (lambda h, b: (
        {**h, "Wechatpay-Timestamp": str(int(h["Wechatpay-Timestamp"]) + 86400)}, b), "stale"),
    "timestamp-no-number": (lambda h, b: ({**h, "Wechatpay-Timestamp": "soon"}, b), "a timestamp that is none"),
    "not-text": (lambda h, b: (h, b"\xff\xfe" + b), "not text"),
    "a-probe": (lambda h, b: ({**h, "Wechatpay-Signature": "WECHATPAY/SIGNTEST/" + h["Wechatpay-Signature"]}, b),
                "verify"),
}


def what_was_done(control: Control, sql: Sql) -> Any:
    """The ledger's and the tasks' lengths, and the last call of WeChat Pay (the journal's own length has an end)."""
    return (sql("SELECT COUNT(*) FROM ledger"), sql("SELECT COUNT(*) FROM staff_tasks"),
            control("GET", "/journal?system=wechatpay")[-1:])


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_notice_is_refused_and_leaves_nothing(control: Control, sql: Sql, forgery: str,
                                                       genuine: tuple[dict[str, str], bytes]) -> None:
    forge, reason = FORGERIES[forgery]
    before = what_was_done(control, sql)
    for kind in ("payment", "refund"):
        answer = deliver(control, *forge(*genuine), kind)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "signature_invalid")
        assert reason in refusals(control)[-1]
    assert what_was_done(control, sql) == before, "it was recorded, or WeChat Pay was asked for a certificate"


def test_an_old_notice_is_stale_though_its_signature_is_right(control: Control,
                                                              genuine: tuple[dict[str, str], bytes]) -> None:
    deliver(control, *genuine)
    assert "lacks a field" in refusals(control)[-1], "fresh, it passes the signature"
    control.advance(301)
    assert deliver(control, *genuine).status_code == 403
    assert "stale" in refusals(control)[-1]


def test_the_platforms_probe_is_refused(control: Control) -> None:
    for kind in ("payment", "refund"):
        address = f"{control.addresses['scf']}/api/pay_callback/notices/{kind}"
        assert control("POST", "/wechatpay/probes", notify_url=address)["status"] == 403

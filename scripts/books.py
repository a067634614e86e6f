"""Do the books agree? Every fen captured is confirmed in the HIS, refunded, or visibly pending.

Compares our database, the HIS's registrations and WeChat Pay's orders. For the demo and every test of
faults and races: whatever happened, this must hold at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.phone import Control
from scripts import local_db

SETTLED = {"CONFIRMED", "CANCELLED", "RELEASED", "REJECTED"}


@dataclass
class Report:
    """Sums in fen, and every difference found as a sentence."""

    captured_fen: int = 0
    confirmed_fen: int = 0
    refunded_fen: int = 0
    pending: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def compare(control: Control, mysql: str, database: str) -> Report:
    """Compare all three; the report."""
    host, _, port = mysql.partition(":")
    with local_db.connect(host, int(port), database) as connection, connection.cursor() as cursor:
        def ask(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        report = Report()
        trades = {one["trade_no"]: one for one in control("GET", "/his/books")}
        _registrations(report, ask("SELECT b.id, b.state, b.trade_no, b.fee_fen, b.payment_policy, p.state, "
                                   "p.out_trade_no, p.paid_fen FROM bookings b LEFT JOIN payments p "
                                   "ON p.kind = 'registration' AND p.subject_id = b.id"), trades,
                       {one["out_trade_no"]: one for one in control("GET", "/wechatpay/orders")})
        _ledger(report, ask("SELECT p.id, p.paid_fen, p.refunding_fen, "
                            "COALESCE(SUM(CASE WHEN l.movement = 'CAPTURE' THEN l.amount_fen END), 0), "
                            "COALESCE(-SUM(CASE WHEN l.movement = 'REFUND' THEN l.amount_fen END), 0), "
                            "(SELECT COALESCE(SUM(r.amount_fen), 0) FROM refunds r WHERE r.payment_id = p.id "
                            "AND r.state = 'SUCCEEDED') FROM payments p LEFT JOIN ledger l ON l.payment_id = p.id "
                            "GROUP BY p.id, p.paid_fen, p.refunding_fen"))
        report.differences += [f"slot {slot} is held by {count} live registrations" for slot, count in ask(
            "SELECT slot_id, COUNT(*) FROM bookings WHERE live_flag = 1 GROUP BY slot_id HAVING COUNT(*) > 1")]
        report.differences += [f"booking {one[0]} is live and holds no place, or another's" for one in ask(
            "SELECT b.id FROM bookings b JOIN slots s ON s.id = b.slot_id "
            "WHERE b.live_flag = 1 AND (s.booking_id IS NULL OR s.booking_id <> b.id)")]
        report.differences += [f"slot {one[0]} is held by a registration that is over" for one in ask(
            "SELECT s.id FROM slots s JOIN bookings b ON b.id = s.booking_id WHERE b.live_flag IS NULL")]
    live: dict[str, list[str]] = {}
    for trade in trades.values():
        if trade["state"] in ("LOCKED", "CONFIRMED"):
            live.setdefault(trade["slot_code"], []).append(trade["trade_no"])
    report.differences += [f"HIS slot {slot} has {held}" for slot, held in live.items() if len(held) > 1]
    return report


def _registrations(report: Report, rows: list[tuple[Any, ...]], trades: dict[str, Any], orders: dict[str, Any]) -> None:
    for booking_id, state, trade_no, fee, policy, payment, number, paid in rows:
        trade, order = trades.get(trade_no), orders.get(number or "")
        his = trade["state"] if trade else "-"
        captured = order["total_fen"] if order and order["transaction_id"] else 0
        refunded = order["refunded_fen"] if order else 0
        report.captured_fen += captured
        report.refunded_fen += refunded
        if trade and his == "CONFIRMED" and payment:
            report.confirmed_fen += trade["paid_fen"] or 0
        where = f"booking {booking_id} ({state}, HIS {his}, captured {captured}, refunded {refunded})"
        if state not in SETTLED:
            report.pending.append(where)
            continue
        if captured != (paid or 0):
            report.differences.append(f"{where}: our books say {paid or 0} fen were paid")
        if (state == "CONFIRMED") != (his == "CONFIRMED"):
            report.differences.append(f"{where}: the HIS disagrees")
        kept = fee if state == "CONFIRMED" and policy == "AT_BOOKING" else 0
        if captured - refunded != kept:
            report.differences.append(f"{where}: {captured - refunded} fen kept, {kept} due")
        if his == "CONFIRMED" and refunded:
            report.differences.append(f"{where}: confirmed and refunded")


def _ledger(report: Report, rows: list[tuple[Any, ...]]) -> None:
    for payment_id, paid, refunding, captured, returned, succeeded in rows:
        if captured != paid or returned != succeeded or returned > refunding or refunding > paid:
            report.differences.append(f"payment {payment_id}: paid {paid}, ledger in {captured}, out {returned}, "
                                      f"refunds done {succeeded}, ordered {refunding}")

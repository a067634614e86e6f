"""Do the books agree? Every fen captured is in the HIS's books, refunded, or visibly pending.

Compares our database, the HIS, WeChat Pay's orders and the e-bill platform. For the demo and every test of
faults and races: whatever happened, this must hold at the end.
"""

from __future__ import annotations

from sandbox.phone import Control
from scripts import books_bills, books_money
from scripts.books_read import MOVING, Books, Report, Row, read

FIRM = {"CONFIRMED", "CHECKED_IN"}


def compare(control: Control, mysql: str, database: str, account_id: str = "") -> Report:
    """Compare all of them as they are now; the report. With an account: only what names a thing of that one's."""
    books = read(control, mysql, database, account_id)
    report = judge(books)
    if account_id:
        names = books.names()
        for told in (report.differences, report.pending):
            told[:] = [one for one in told if any(name in one for name in names)]
    return report


def judge(books: Books) -> Report:
    """Every difference in these books."""
    report = Report()
    for booking in books.table("bookings"):
        _registration(report, books, booking)
    _places(report, books)
    books_money.compare(report, books)
    books_bills.compare(report, books)
    total = report.settled_fen + report.refunded_fen + report.pending_fen
    if report.captured_fen != total and not report.differences:
        report.add(f"captured {report.captured_fen} fen, but settled {report.settled_fen}, refunded "
                   f"{report.refunded_fen} and pending {report.pending_fen}")
    return report


def _registration(report: Report, books: Books, booking: Row) -> None:
    trade, cases, state = books.trades.get(booking["trade_no"]), books.cases_of(booking["id"]), booking["state"]
    his = trade["state"] if trade else "-"
    captured = sum(one.captured_fen for one in cases)
    refunded = sum(one.refunded_fen + one.elsewhere_fen for one in cases)
    if trade and his == "CONFIRMED" and cases:
        report.confirmed_fen += trade["paid_fen"] or 0
    where = f"booking {booking['id']} ({state}, HIS {his}, captured {captured}, refunded {refunded})"
    if state in MOVING["bookings"]:
        report.pending.append(where)
        return
    waits = any(one.waits for one in cases) or booking["id"] in books.tasks
    at_window = booking.get("reason") == "FIRM_ELSEWHERE" and his in ("CONFIRMED", "CANCELLED")
    if (state in FIRM) != (his == "CONFIRMED") and not at_window:
        report.add(f"{where}: the HIS disagrees", waits=waits)
    if state == "CHECKED_IN" and not (trade and trade["checked_in"]):
        report.add(f"{where}: not checked in in the HIS", waits=waits)
    due = _due_fen(booking, trade)
    if captured - refunded != due:
        report.add(f"{where}: {captured - refunded} fen kept, {due} due", waits=waits)
    for checkin in books.checkins_of(booking["id"]):
        if checkin["state"] in MOVING["checkins"]:
            report.pending.append(f"check-in {checkin['id']} of booking {booking['id']} ({checkin['state']})")
        elif checkin["state"] == "DONE" and state not in ("CHECKED_IN", "CANCELLED"):
            report.add(f"check-in {checkin['id']} is done, {where} is not checked in")


def _due_fen(booking: Row, trade: Row | None) -> int:
    """What the hospital may keep for a registration at rest."""
    paid_now = booking["payment_policy"] == "AT_BOOKING" or booking["state"] == "CHECKED_IN"
    if booking["state"] not in FIRM or not paid_now:
        return 0
    return int(booking["fee_fen"]) - (trade["desk_refund_fen"] if trade else 0)


def _places(report: Report, books: Books) -> None:
    for one in books.table("shared_slots"):
        report.add(f"slot {one['slot_id']} is held by {one['held']} live registrations")
    for one in books.table("placeless"):
        report.add(f"booking {one['id']} is live and holds no place, or another's")
    for one in books.table("stale_slots"):
        report.add(f"slot {one['id']} is held by a registration that is over")
    live: dict[str, list[str]] = {}
    for trade in books.registrations:
        if trade["state"] in ("LOCKED", "CONFIRMED") and trade["slot_code"]:  # a difference holds none
            live.setdefault(trade["slot_code"], []).append(trade["trade_no"])
    for slot, held in live.items():
        if len(held) > 1:
            report.add(f"HIS slot {slot} has {held}")

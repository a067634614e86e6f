"""The part of the comparison about payments: WeChat Pay against the HIS, and both against our ledger."""

from __future__ import annotations

from scripts.books_read import BACK, Books, Case, Report, Row, kept_fen, out_fen


def compare(report: Report, books: Books) -> None:
    """Every payment, of whatever kind, and every settlement."""
    for case in books.cases:
        _payment(report, case)
        _promises(report, case)
        _ledger(report, books, case)
        for settlement in case.settlements:
            _settlement(report, books, case, settlement)
        for trade in case.trades:
            if trade["paid_fen"] and trade["trade_no"] not in {one["trade_no"] for one in case.settlements}:
                report.add(f"{case.name}: the HIS has taken {trade['paid_fen']} fen under {trade['trade_no']}, and our "
                           "books don't know", waits=case.waits)
    _strangers(report, books)


def _payment(report: Report, case: Case) -> None:
    """Captured = kept by the HIS + refunded + pending."""
    captured, kept = case.captured_fen, sum(kept_fen(one) for one in case.trades)
    refunded = case.refunded_fen + case.elsewhere_fen
    report.captured_fen += captured
    report.refunded_fen += refunded
    report.settled_fen += kept
    left = captured - refunded - kept
    where = (f"{case.name}: captured {captured} fen, the HIS keeps {kept}, refunded {refunded}"
             f"{''.join(f', {one}' for one in (*case.moving, *(f'task about {name}' for name in case.tasks)))}")
    if left:
        report.add(f"{where}: {left} fen are nowhere", waits=case.waits)
        report.pending_fen += left if case.waits else 0
    elif case.moving:
        report.pending.append(where)
    if captured != case.payment["paid_fen"]:
        report.add(f"{case.name}: our books say {case.payment['paid_fen']} fen were paid, WeChat {captured}",
                   waits=case.waits)


def _promises(report: Report, case: Case) -> None:
    """Of what was paid, each fen is either kept as settled or on its way back, and never both."""
    paid, back = case.payment["paid_fen"], case.payment["refunding_fen"]
    kept = sum(one["amount_fen"] - one["reversing_fen"] for one in case.settlements)
    if back != sum(one["amount_fen"] for one in case.refunds if one["state"] != "GIVEN_UP"):
        report.add(f"{case.name}: {back} fen are going back, but not by its refunds {_ids(case.refunds)}")
    if paid < kept + back:
        report.add(f"{case.name}: paid {paid} fen, but {kept} are kept and {back} go back")
    elif paid > kept + back:
        report.add(f"{case.name}: of {paid} fen paid, {kept} are kept and {back} go back", waits=case.waits)


def _ledger(report: Report, books: Books, case: Case) -> None:
    """Our ledger's sums are those of the rows that they tell of; each pair is written in one transaction."""
    expected = {
        "CAPTURE": case.payment["paid_fen"],
        "REFUND": case.elsewhere_fen - sum(one["amount_fen"] for one in case.refunds if one["state"] in BACK),
        "ELSEWHERE": -case.elsewhere_fen if "ELSEWHERE" in {one["state"] for one in case.refunds} else 0,
        "SETTLEMENT": sum(one["amount_fen"] for one in case.settlements),
        "REVERSAL": -sum(one["reversed_fen"] for one in case.settlements),
    }
    for movement, fen in expected.items():
        booked = books.ledger.get((case.payment["id"], movement), 0)
        if booked != fen:
            report.add(f"{case.name}: {movement} in the ledger is {booked} fen, should be {fen}")


def _settlement(report: Report, books: Books, case: Case, settlement: Row) -> None:
    trade = books.trades.get(settlement["trade_no"])
    where = f"settlement {settlement['id']} of {case.name}"
    if trade is None or not trade["paid_fen"]:
        report.add(f"{where}: the HIS has taken nothing under {settlement['trade_no']}")
        return
    if (trade["paid_fen"], trade["transaction_id"]) != (settlement["amount_fen"], case.payment["transaction_id"]):
        report.add(f"{where}: {settlement['amount_fen']} fen of {case.payment['transaction_id']}, in the HIS "
                   f"{trade['paid_fen']} of {trade['transaction_id']}")
    if out_fen(trade) != settlement["reversed_fen"]:
        report.add(f"{where}: {settlement['reversed_fen']} fen are out, in the HIS {out_fen(trade)}", waits=case.waits)


def _strangers(report: Report, books: Books) -> None:
    """Money that none of our payments accounts for."""
    ours = {case.payment["out_trade_no"] for case in books.cases}
    for number, order in books.wechat.items():
        if number not in ours and order["transaction_id"]:
            left = order["total_fen"] - order["refunded_fen"]
            report.captured_fen += order["total_fen"]
            report.refunded_fen += order["refunded_fen"]
            waits = number in books.tasks
            report.pending_fen += left if waits else 0
            report.add(f"WeChat order {number}: {left} fen of no payment of ours", waits=waits)
    known = {trade["trade_no"] for case in books.cases for trade in case.trades}
    wechat = {order["transaction_id"] for order in books.wechat.values()}
    for number, trade in books.trades.items():
        if trade["paid_fen"] and number not in known and trade["transaction_id"] in wechat:  # else the hospital's own
            report.settled_fen += kept_fen(trade)
            report.add(f"HIS trade {number}: {trade['paid_fen']} fen of {trade['transaction_id']}, no payment of ours")


def _ids(rows: list[Row]) -> str:
    return ", ".join(row["id"] for row in rows) or "none"

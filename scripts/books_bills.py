"""The part of the comparison about bills, the desk's refunds and e-bills."""

from __future__ import annotations

from scripts.books_read import MOVING, Books, Case, Report, Row, desk_refund_moves, group, out_fen

BUSINESS = {"registration": "01", "charge": "02"}  # what the platform calls each kind of settlement
OURS = "MP"  # begins our business numbers there; the counter's own are none of ours


def compare(report: Report, books: Books) -> None:
    """Every order, charge, refund of the desk's and e-bill."""
    for order in books.table("charge_orders"):
        _order(report, books, order)
    for charge in books.table("charges"):
        _charge(report, books, charge)
    for bill_no, trades in group("bill_no", books.his_charges).items():
        settled = [one["trade_no"] for one in trades if one["paid_fen"]]
        if len(settled) > 1:
            report.add(f"bill {bill_no} is settled more than once, charges "
                       f"{[books.charge_of_trade(one) or one for one in settled]}")
    for number in dict.fromkeys([*books.desk_refunds, *books.his_desk_refunds]):
        _desk_refund(report, books, number)
    _invoices(report, books)


# -- orders and charges -----------------------------------------------------------------------------
def _order(report: Report, books: Books, order: Row) -> None:
    charges = books.charges_of(order["id"])
    where = (f"order {order['id']} ({order['state']}; charges "
             f"{', '.join(one['id'] + ' ' + one['state'] for one in charges)})")
    if sum(one["amount_fen"] for one in charges) != order["total_fen"]:
        report.add(f"{where}: {order['total_fen']} fen are not the sum of its charges")
    if order["state"] in MOVING["charge_orders"]:
        report.pending.append(where)
    elif order["state"] == "DONE" and any(one["state"] in ("OPEN", "SETTLING", "RELEASED") for one in charges):
        report.add(f"{where}: done, and a charge is not")
    elif order["state"] == "RELEASED" and any(one["state"] != "RELEASED" for one in charges):
        report.add(f"{where}: released, and a charge is not")


def _charge(report: Report, books: Books, charge: Row) -> None:
    state, trade = charge["state"], books.trades.get(charge["trade_no"])
    his, bill = trade["state"] if trade else "-", books.his_bills.get(charge["bill_no"])
    case = books.case_of_trade(charge["trade_no"])
    where = (f"charge {charge['id']} of order {charge['order_id']} ({state}, HIS {his}, bill {charge['bill_no']} "
             f"{bill['state'] if bill else 'unknown'})")
    if state in MOVING["charges"]:
        report.pending.append(where)
        return
    waits = bool(case and case.waits) or charge["id"] in books.tasks
    if state == "SETTLED":
        paid = trade["paid_fen"] if trade else 0
        if his != "SETTLED" or paid != charge["amount_fen"]:
            report.add(f"{where}: {charge['amount_fen']} fen settled here, {paid} there", waits=waits)
        _settled_bill(report, where, bill, trade, waits=waits)
    elif state == "CANCELLED":
        if trade is None or not trade["paid_fen"] or out_fen(trade) != trade["paid_fen"]:
            report.add(f"{where}: cancelled here, not there", waits=waits)
        elif bill is None or bill["state"] != "REFUNDED":
            report.add(f"{where}: the bill is not refunded", waits=waits)
    elif state == "REJECTED" and his not in ("UNLOCKED", "CANCELLED"):
        report.add(f"{where}: its money goes back, and its number is not dead", waits=waits)
    elif his == "SETTLED":
        report.add(f"{where}: the HIS has settled it", waits=waits)


def _settled_bill(report: Report, where: str, bill: Row | None, trade: Row | None, *, waits: bool) -> None:
    partly = trade is not None and trade["desk_refund_fen"]
    wanted = "PARTLY_REFUNDED" if partly else "PAID"
    if bill is None or (bill["state"], bill["paid_by"]) != (wanted, "WECHAT"):
        report.add(f"{where}: the bill should be {wanted} by WECHAT", waits=waits)


# -- the desk's refunds -----------------------------------------------------------------------------
def _desk_refund(report: Report, books: Books, number: str) -> None:
    ours, theirs = books.desk_refunds.get(number), books.his_desk_refunds.get(number)
    trade_no = (theirs or ours or {})["trade_no"]
    case = books.case_of_trade(trade_no)
    where = (f"desk refund {number} ({ours['id'] + ' ' + ours['state'] if ours else 'unknown here'}, HIS "
             f"{theirs['state'] if theirs else '-'}) of {case.name if case else trade_no}")
    if desk_refund_moves(ours, theirs):
        report.pending.append(where)
        return
    waits = ours is not None and ours["id"] in books.tasks
    if ours is None:
        report.add(f"{where}: ended without us")
        return
    if theirs is None or theirs["state"] != ours["state"]:
        report.add(f"{where}: the HIS disagrees", waits=waits)
    elif ours["state"] == "SUCCEEDED" and ours["amount_fen"] != theirs["amount_fen"]:
        report.add(f"{where}: {ours['amount_fen']} fen here, {theirs['amount_fen']} there")
    sent = [one for one in books.table("refunds")
            if one["purpose"] == f"d-{ours['id']}" and one["state"] != "GIVEN_UP"]
    done = [one["amount_fen"] for one in sent if one["state"] == "SUCCEEDED"]
    if done != ([ours["amount_fen"]] if ours["state"] == "SUCCEEDED" else []) or len(sent) != len(done):
        report.add(f"{where}: its money went back as {[(one['id'], one['state'], one['amount_fen']) for one in sent]}")


# -- e-bills ----------------------------------------------------------------------------------------
def _invoices(report: Report, books: Books) -> None:
    issued = group("busNo", (one for one in books.ebills if one["busNo"].startswith(OURS)))
    ours = group("settlement_id", books.table("invoices"))
    for case in books.cases:
        for settlement in case.settlements:
            _live_invoice(report, books, case, settlement, ours.get(settlement["id"], []))
    settlements = {one["id"]: (case, one) for case in books.cases for one in case.settlements}
    for invoice in books.table("invoices"):
        case, settlement = settlements[invoice["settlement_id"]]
        where = f"invoice {invoice['id']} ({invoice['state']}) of settlement {settlement['id']} of {case.name}"
        if invoice["state"] in MOVING["invoices"]:
            report.pending.append(where)
            continue
        wrong = _at_platform(invoice, issued.get(OURS + invoice["id"], []), BUSINESS[settlement["kind"]])
        if wrong:
            report.add(f"{where}: {wrong}", waits=invoice["id"] in books.tasks)
    known = {OURS + one["id"] for one in books.table("invoices")}
    for number in issued.keys() - known:
        report.add(f"the e-bill platform has {number}, which is no invoice of ours")


def _live_invoice(report: Report, books: Books, case: Case, settlement: Row, invoices: list[Row]) -> None:
    """One e-bill over what is left of a settlement; none when nothing is."""
    live = [one for one in invoices if one["state"] == "ISSUED"]
    net = settlement["amount_fen"] - settlement["reversed_fen"]
    printed = any(one["state"] == "ON_PAPER" for one in invoices)  # what follows is between the desk and the patient
    if printed or [one["amount_fen"] for one in live] == ([net] if net else []):
        return
    waits = any(one["state"] in MOVING["invoices"] for one in invoices) or bool(
        books.jobs & {settlement["id"]}) or bool(books.tasks & {settlement["id"], *(one["id"] for one in invoices)})
    report.add(f"settlement {settlement['id']} of {case.name}: {net} fen are left of it, its e-bills are "
               f"{[(one['id'], one['state'], one['amount_fen']) for one in invoices]}", waits=waits)


def _at_platform(invoice: Row, bills: list[Row], business: str) -> str:
    """What is wrong with an invoice's bills at the platform; empty when nothing is."""
    black = [one for one in bills if one["reverses"] is None]
    if invoice["state"] == "VOID":
        return "void here, issued there" if bills else ""
    if len(black) != 1:
        return f"{len(black)} bills at the platform"
    one = black[0]
    if (one["billBatchCode"], one["billNo"], one["total_fen"], one["busType"]) != (
            invoice["batch_code"], invoice["number"], invoice["amount_fen"], business):
        return f"the platform has {one['total_fen']} fen as {one['billBatchCode']} {one['billNo']}"
    red = one["red"]
    if invoice["state"] == "ON_PAPER":
        return "" if one["paper"] else "not on paper at the platform"
    if invoice["state"] == "ISSUED":
        return "written off at the platform" if red else ""
    if red is None or (red["billBatchCode"], red["billNo"], red["total_fen"]) != (
            invoice["red_batch_code"], invoice["red_number"], -invoice["amount_fen"]):
        return f"its red bill at the platform is {red}"
    return ""

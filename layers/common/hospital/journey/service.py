"""One visit: a registration and what hangs on it, from what is in our tables alone. Nothing is guessed or asked."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from msgspec import Struct

from hospital.billing import bill_store
from hospital.billing import store as billing
from hospital.billing.model import Charge
from hospital.booking.model import FIRM_ELSEWHERE, Booking
from hospital.booking.views import REASONS
from hospital.checkin.rules import checkin_window
from hospital.database import policy
from hospital.database.connection import Database
from hospital.gateways.his.bills import Bill
from hospital.invoices import store as invoices
from hospital.journey import rules, store
from hospital.journey.rules import Fact, Step, Visit
from hospital.messages.rules import yuan_text
from hospital.patients import store as patients
from hospital.payment import settlement_store
from hospital.payment import store as payments
from hospital.payment.model import OUTPATIENT, REGISTRATION, Payment
from hospital.runtime.clock import at_hospital, hospital_day
from hospital.schedules import store as schedules
from hospital.site import store as site

MOST = 20  # visits that are looked at for the home page
KINDS = {"PRESCRIPTION": "处方", "EXAMINATION": "检查单", "LABORATORY": "检验单", "TREATMENT": "治疗单"}
DONE = {"PRESCRIPTION": "已取药", "EXAMINATION": "检查已做", "LABORATORY": "检验已采样", "TREATMENT": "治疗已做"}


class Whole(Struct, frozen=True):
    """A visit with what belongs to it. ``unpaid`` and ``charges`` are empty for who may not read of the patient."""

    booking: Booking
    visit: Visit
    doctor: str
    department: str
    unpaid: list[Bill]
    charges: list[Charge]


def whole(db: Database, booking: Booking, now: datetime, *, readable: bool) -> Whole:
    """One visit. ``readable``: whether the account may read of the patient's bills."""
    session = schedules.session(db, booking.schedule_id)
    doctor = next((one.name for one in site.doctors(db, [booking.doctor_id], employed_only=False)), "")
    department = site.names_of_his(db).get(session.his_department, ("", ""))[1] if session else ""
    unpaid = list[Bill]()
    charges = list[Charge]()
    if readable and booking.state == "CHECKED_IN":
        def is_of_it(bill: Bill) -> bool:
            return rules.belongs(booking.trade_no, booking.visit_date, doctor, department, (
                bill.visit_trade_no, hospital_day(bill.created_at), bill.doctor_name, bill.department_name))

        codes = patients.forms_of_codes(db, booking.patient_id)
        unpaid = [bill for bill, _ in bill_store.known_unpaid(db, codes, now) if is_of_it(bill)]
        begins = at_hospital(booking.visit_date, time(0))
        orders = store.orders_since(db, booking.account_id, booking.patient_id, begins,
                                    begins + timedelta(days=1 + policy.load(db).guide_days))
        charges = [one for some in billing.charges_of_orders(db, orders).values() for one in some if is_of_it(one.bill)]
    stopped = session is not None and session.state == "STOPPED"
    return Whole(booking, _visit(db, booking, unpaid, charges, stopped=stopped), doctor, department, unpaid, charges)


def _visit(db: Database, booking: Booking, unpaid: list[Bill], charges: list[Charge], *, stopped: bool) -> Visit:
    settled = [one for one in charges if one.state == "SETTLED"]
    newest = bill_store.known_some(db, [one.bill.bill_no for one in settled])
    left = [(bill.kind, item) for one in settled for bill in (newest.get(one.bill.bill_no, one.bill),)
            for item in bill.items if not item.executed and bill.state not in ("REFUNDED", "CANCELLED")]
    drugs = sum(kind == "PRESCRIPTION" for kind, _ in left)
    held = {one.bill.bill_no for one in charges if one.state in ("SETTLING", "SETTLED")}
    owed = [one for one in unpaid if one.bill_no not in held]
    return Visit(
        booking_id=booking.id, patient_id=booking.patient_id, state=booking.state, day=booking.visit_date,
        starts_at=booking.starts_at, expires_at=booking.expires_at, needs_payment=booking.needs_payment,
        checkin=checkin_window(*schedules.hours(db, booking.schedule_id), policy.load(db)),
        queue_number=booking.queue_number, stopped=stopped, is_offer=booking.waitlist_id is not None,
        ordered=len(unpaid) + len(charges), unpaid=len(owed), unpaid_fen=sum(one.total_fen for one in owed),
        to_do=len(left) - drugs, drugs=drugs)


def next_steps(db: Database, account_id: str, mine: set[str], readable: set[str], now: datetime
               ) -> list[tuple[Whole, Step]]:
    """The next step of each of an account's visits, the most urgent first."""
    since = hospital_day(now) - timedelta(days=policy.load(db).guide_days)
    found = {one.booking.id: one for one in (
        whole(db, booking, now, readable=booking.patient_id in readable)
        for booking in store.current(db, account_id, mine, since, MOST))}
    steps = [(one.visit, step) for one in found.values() if (step := rules.next_step(one.visit, now)) is not None]
    return [(found[visit.booking_id], step) for visit, step in rules.first(steps)]


def facts(db: Database, one: Whole, now: datetime) -> list[Fact]:
    """What happened in a visit, the newest first."""
    return rules.newest_first([*_of_registration(db, one.booking), *_of_bills(db, one)], now)


def _of_registration(db: Database, booking: Booking) -> list[Fact]:
    page = f"/visit/registration?id={booking.id}"
    found = [Fact(booking.created_at, "已占号", "", page)]
    payment = payments.of_subject(db, REGISTRATION, booking.id)
    found += _of_payment(db, payment, "挂号费", page)
    for row in store.moves(db, booking.id):
        if row["to_state"] in rules.STATES:
            text = {"CONFIRMED": booking.location, "CHECKED_IN": f"{booking.queue_number} {booking.queue_place}".strip()
                    }.get(row["to_state"], REASONS.get(row["reason"], ""))
            title = "已由窗口办理" if row["reason"] == FIRM_ELSEWHERE else rules.STATES[row["to_state"]]
            found.append(Fact(row["at"], title, text, page))
    return found


def _of_payment(db: Database, payment: Payment | None, what: str, page: str) -> list[Fact]:
    if payment is None or payment.paid_at is None:
        return []
    found = [Fact(payment.paid_at, f"已支付{what}", yuan_text(payment.paid_fen), page)]
    for refund in payments.refunds_of(db, payment.id):
        found.append(Fact(refund.created_at, "开始退款", yuan_text(refund.amount_fen), page))
        if refund.succeeded_at is not None:
            found.append(Fact(refund.succeeded_at, "退款已到账", yuan_text(refund.amount_fen), page))
    return found


def _of_bills(db: Database, one: Whole) -> list[Fact]:
    bills = {bill.bill_no: bill for bill in (*one.unpaid, *(charge.bill for charge in one.charges))}
    found = [Fact(bill.created_at, f"医生开了{KINDS.get(bill.kind, '费用单')}",
                  f"{'、'.join(item.name for item in bill.items[:3])}{'等' if len(bill.items) > 3 else ''}",
                  f"/bills/bill?patient={one.booking.patient_id}&bill={bill.bill_no}") for bill in bills.values()]
    for order_id in dict.fromkeys(charge.order_id for charge in one.charges):
        page = f"/bills/order?id={order_id}"
        payment = payments.of_subject(db, OUTPATIENT, order_id)
        if payment is None:
            continue
        found += _of_payment(db, payment, "门诊费用", page)
        ours = {charge.id for charge in one.charges}
        settled = [row for row in settlement_store.of_payment(db, payment.id) if row.subject_id in ours]
        found += [Fact(invoice.issued_at, "电子票据已开具", yuan_text(invoice.amount_fen),
                       f"/ebills/ebill?id={invoice.id}")
                  for invoice in invoices.of_settlements(db, [row.id for row in settled]) if invoice.issued_at]
    found += [Fact(row["at"], DONE.get(bills[row["bill_no"]].kind, "项目已做"), "",
                   f"/way/stops?patient={one.booking.patient_id}")
              for row in store.executed(db, list(bills), at_hospital(one.booking.visit_date, time(0)))]
    return found

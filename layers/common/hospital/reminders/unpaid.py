"""The reminder of a bill that is not paid, at the ages that the hospital has set."""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.billing import bill_store
from hospital.database.connection import Database, Transaction
from hospital.database.policy import Policy
from hospital.gateways.his import bills as his_bills
from hospital.gateways.his.bills import Bill
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import service as messages
from hospital.messages.rules import time_text, yuan_text
from hospital.patients import access, many_store, records
from hospital.reminders import rules, store
from hospital.reminders.store import Plan, Reminder
from hospital.runtime import log

KIND = messages.UNPAID_REMINDER
PAGE = 200
SILENT = 3
LATER = timedelta(minutes=30)  # when the HIS does not say whether it is paid


def plan(db: Database, settings: Policy, now: datetime) -> int:
    """Plan the reminders of the bills that have reached an age, for all who may pay them; how many are new."""
    if not settings.unpaid_reminder_hours:
        return 0
    before, after, planned = now - timedelta(hours=min(settings.unpaid_reminder_hours)), "", 0
    while page := bill_store.unpaid_since(db, before, now, after=after, limit=PAGE):
        after = page[-1]["bill_no"]
        plans = []
        for row in page:
            hours = rules.age_due(row["known_since"], now, settings)
            for account_id, patient_id in access.of_code(db, row["patient_code"], "RECORD", now) if hours else []:
                plans.append(Plan(KIND, row["bill_no"], f"{hours}h", account_id, patient_id,
                                  rules.due(now, settings, urgent=False), False))
        planned += store.insert(db, plans, now) if plans else 0
    return planned


def ask(db: Database, reminders: list[Reminder], now: datetime) -> dict[str, Bill | str | None]:
    """What the HIS says of the bills, by reminder: the bill, why it is not to be told, None when it does not say.

    One that has been silent several times is not asked any more.
    """
    said: dict[str, Bill | str | None] = {}
    for one in reminders:
        is_down = len(said) >= SILENT and all(answer is None for answer in list(said.values())[-SILENT:])
        said[one.id] = None if is_down else _ask(db, one, now)
    return said


def _ask(db: Database, reminder: Reminder, now: datetime) -> Bill | str | None:
    try:
        bill = his_bills.bill(reminder.subject_id)
        if bill is None or bill.state != "UNPAID" or bill.locked_by_trade:
            return "PAID"
        return bill if records.is_theirs(db, reminder.patient_id, bill.patient_code, now) else "NOT_THEIRS"
    except (Rejected, Unanswered) as silence:
        log.event("his.unanswered", operation="bill", reminder_id=reminder.id, reason=silence.reason)
        return None


def tell(tx: Transaction, reminders: list[Reminder], said: dict[str, Bill | str | None],
         allowed: set[tuple[str, str]], now: datetime) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """What to say, by reminder, and why the others are not told. Those of which the HIS says nothing are in neither."""
    told, dropped = dict[str, dict[str, str]](), dict[str, str]()
    people = many_store.names(tx, sorted({one.patient_id for one in reminders}))
    for one in reminders:
        bill = said[one.id]
        if isinstance(bill, str):
            dropped[one.id] = bill
        elif bill is not None and bill.pay_before <= now:
            dropped[one.id] = "OVER"
        elif bill is not None and (one.account_id, one.patient_id) not in allowed:
            dropped[one.id] = "WITHHELD"
        elif bill is not None:
            bill_store.keep(tx, bill, now)
            age = rules.age_text(int(one.occasion.removesuffix("h")))
            told[one.id] = {"patient": people[one.patient_id], "amount": yuan_text(bill.total_fen),
                            "note": f"该费用{age}未缴，请及时缴费", "time": time_text(now),
                            "department": bill.department_name}
    return told, dropped

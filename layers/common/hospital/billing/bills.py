"""Bills as patients see them: live from the HIS, or as last known when it does not answer; scanned from paper."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from hospital.billing import bill_store
from hospital.database.connection import Database
from hospital.database.odd_rows import OddRows
from hospital.gateways.his import bills as his_bills
from hospital.gateways.his import wire as his_wire
from hospital.gateways.his.bills import Bill
from hospital.gateways.his.wire import Odd
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.patients import access, records
from hospital.patients import store as patient_store
from hospital.runtime import log
from hospital.runtime.errors import Conflict, Invalid, NotFound, Unavailable
from hospital.security import audit
from hospital.security.watch import foreign


class Shown(Struct, frozen=True):
    """Some bills, and how fresh they are; ``left_out``: how many could not be read."""

    bills: list[Bill]
    live: bool
    as_of: datetime
    left_out: int = 0


def act_for(db: Database, account_id: str, patient_id: str, now: datetime) -> None:
    """May the account read the patient's bills? Raises NotFound, NotProven, ConsentRequired."""
    access.check(db, account_id, patient_id, "RECORD", now)


def unpaid(db: Database, account_id: str, patient_id: str, now: datetime) -> Shown:
    """What a patient has to pay. Raises NotFound, ConsentRequired, Unavailable (no answer, and nothing known)."""
    act_for(db, account_id, patient_id, now)
    try:
        told = records.with_code(db, patient_id, his_bills.unpaid_bills, now)
    except (Unanswered, Rejected) as problem:
        log.event("his.unanswered", operation="bills", reason=problem.reason)
        if isinstance(problem, Rejected) and problem.code == records.UNKNOWN:
            raise records.RecordChanged from None
        known = bill_store.known_unpaid(db, patient_store.forms_of_codes(db, patient_id), now)
        if not known:
            raise Unavailable("医院系统繁忙，暂时无法查询待缴费用，请稍后重试。", code="his_unavailable") from None
        return Shown([bill for bill, _ in known], False, min(at for _, at in known))
    odd = [one for one in told if isinstance(one, Odd)]
    _say_odd(db, patient_id, odd, now)
    return Shown([one for one in told if isinstance(one, Bill)], True, now, len(odd))


def _say_odd(db: Database, patient_id: str, odd: list[Odd], now: datetime) -> None:
    """Put what can't be read on staff's list, and take off it what can be now."""
    rows = OddRows("bill")
    rows.read(patient_id)
    for one in odd:
        rows.add(one.number, one.detail, patient_id)
    rows.report(db, now, whole=False)


def one(db: Database, account_id: str, patient_id: str, bill_no: str, now: datetime) -> Shown:
    """One bill of a patient. Raises NotFound (also of another's), ConsentRequired, Unavailable."""
    act_for(db, account_id, patient_id, now)
    try:
        bill = his_bills.bill(bill_no)
    except Unanswered as silence:
        log.event("his.unanswered", operation="bill", reason=silence.reason)
        known = bill_store.known(db, bill_no)
        if known is None or not patient_store.has_code(db, patient_id, known[0].patient_code):
            raise Unavailable("医院系统繁忙，暂时无法查询该费用，请稍后重试。", code="his_unavailable") from None
        return Shown([known[0]], False, known[1])
    if bill is not None and not _theirs(db, patient_id, bill, now):
        foreign(db, account_id, "GET billing/bills/<bill_no>", f"bill:{bill_no}", "bill_not_found")
        bill = None
    if bill is None:
        raise NotFound("未找到该费用，请返回刷新。", code="bill_not_found")
    return Shown([bill], True, now)


def scan(db: Database, account_id: str, text: str, now: datetime) -> tuple[str, Bill]:
    """Open the bill that a prescription's code names, for its patient or a bound relative: patient id and bill.

    Raises Invalid (forged), Conflict (expired, paid, taken back), NotFound (another's patient, no such bill),
    ConsentRequired, Unavailable.
    """
    try:
        code = his_bills.read_code(text)
    except his_wire.NotGenuine as problem:
        log.event("code.refused", reason=problem.reason)
        raise Invalid("该二维码不是本院处方码，或已损坏，请核对后重新扫描。", code="code_invalid",
                      fields=["code"]) from None
    if code.expires_at <= now:
        raise Conflict("该二维码已过期，请在待缴费用中查看，或到窗口办理。", code="code_expired")
    patient_id = _patient_of_code(db, account_id, code.patient_code, now)
    if patient_id is None:
        foreign(db, account_id, "POST billing/scans", f"bill:{code.bill_no}", "code_of_another")
        raise NotFound("该处方不属于您绑定的就诊人，请先添加就诊人或核对处方。", code="code_of_another")
    act_for(db, account_id, patient_id, now)
    try:
        bill = his_bills.bill(code.bill_no)
    except Unanswered as silence:
        log.event("his.unanswered", operation="scan", reason=silence.reason)
        raise Unavailable("医院系统繁忙，暂时无法打开该处方，请稍后重试。", code="his_unavailable") from None
    if bill is None or not _theirs(db, patient_id, bill, now):
        raise NotFound("该处方对应的费用已不存在，请到窗口核实。", code="bill_not_found")
    if bill.state == "CANCELLED":
        raise Conflict("该处方费用已作废，请咨询开单医生。", code="bill_cancelled")
    if bill.state != "UNPAID":
        raise Conflict("该处方费用已缴清，无需重复支付。", code="bill_paid")
    audit.note(db, actor=f"account:{account_id}", action="read billing/scans", subject=f"bill:{bill.bill_no}",
               result="done", now=now)
    return patient_id, bill


def _theirs(db: Database, patient_id: str, bill: Bill, now: datetime) -> bool:
    """Whether a bill is this patient's. Raises Unavailable when only the HIS could tell, and does not."""
    try:
        return records.is_theirs(db, patient_id, bill.patient_code, now)
    except Unanswered as silence:
        log.event("his.unanswered", operation="patient", reason=silence.reason)
        raise Unavailable("医院系统繁忙，请稍后重试。", code="his_unavailable") from None


def _patient_of_code(db: Database, account_id: str, code: str, now: datetime) -> str | None:
    """The account's patient whom a printed code names, also when the HIS has merged their record since we read it."""
    known = patient_store.bound_by_code(db, account_id, code)
    if known is not None:
        return known
    try:
        return next((one.id for one in patient_store.bound_patients(db, account_id)
                     if records.is_theirs(db, one.id, code, now)), None)
    except Unanswered as silence:
        log.event("his.unanswered", operation="patient", reason=silence.reason)
        raise Unavailable("医院系统繁忙，暂时无法打开该处方，请稍后重试。", code="his_unavailable") from None

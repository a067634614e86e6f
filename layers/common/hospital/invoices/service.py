"""E-bills follow settlements: one live bill says what the hospital keeps of each.

``adjust`` compares the two and orders what is missing: a first bill, a write-off in red, a bill for the
rest. It comes again after every step, so whatever happens meanwhile is caught up with. The platform may
be down for hours: the arrows wait, and what was asked for without an answer is asked about first.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database import outbox, tasks
from hospital.database.connection import Database, Transaction
from hospital.gateways import cos, ebill
from hospital.gateways.outcome import Unanswered
from hospital.invoices import rules, store
from hospital.invoices.store import Invoice
from hospital.patients import records
from hospital.patients import store as patients
from hospital.patients.rules import age_text
from hospital.payment import settlement_store
from hospital.payment.model import REGISTRATION, Item, Settlement
from hospital.runtime import log
from hospital.runtime.clock import hospital_day
from hospital.runtime.ids import new_id

OPERATOR = "微信小程序"
WRITE_OFF_REASON = "退费冲红"
ON_ITS_WAY = timedelta(minutes=5)  # no request takes longer to have its effect, or to be lost


def adjust(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Order what makes a settlement's live bill say what the hospital keeps.

    The payer's name is the hospital's of this moment: a bill never changes. Raises Unanswered: it is tried again.
    """
    wanted = settlement_store.by_id(db, job.subject_id)
    if wanted is not None and wanted.net_fen and store.live(db, wanted.id) is None:
        records.refresh(db, wanted.patient_id, now)
    with db.transaction() as tx:
        settlement = settlement_store.by_id(tx, job.subject_id, lock=True)
        if settlement is None:
            return None
        live = store.live(tx, settlement.id, lock=True)
        if live is not None and live.amount_fen == settlement.net_fen:
            return None
        if live is not None and live.state == "ISSUED":
            store.move(tx, live, "WRITING_OFF", now, write_off_at=now)
            outbox.publish(tx, "invoice.write-off", live.id, due=now, now=now)
        elif live is not None and live.state == "ORDERED" and live.sent_at is None:
            store.move(tx, live, "VOID", now)
            live = None
        if live is None and settlement.net_fen:
            _order(tx, settlement, now)
    return None


def _order(tx: Transaction, settlement: Settlement, now: datetime) -> None:
    identity, card_number, phone = patients.payer(tx, settlement.account_id, settlement.patient_id)
    invoice_id = new_id()
    again, day = settlement.reversed_fen > 0, hospital_day(settlement.settled_at)
    document = ebill.Document(
        bus_no=store.bus_no(invoice_id),
        bus_type=ebill.REGISTRATION if settlement.kind == REGISTRATION else ebill.OUTPATIENT,
        bus_at=now if again else settlement.settled_at, payer=identity.name,
        id_type=identity.id_type if identity.id_number else "MEDICAL_CARD",
        id_number=identity.id_number or card_number, phone=phone,
        patient_code=patients.his_code(tx, settlement.patient_id),
        department=settlement.department_name, total_fen=settlement.net_fen,
        items=[_line(item, fen) for item, fen in rules.left(
            settlement, settlement_store.desk_refunds_of(tx, settlement.id))],
        remark="部分退费后重新开具" if again else "", sex={"MALE": "男", "FEMALE": "女"}[identity.sex],
        age=age_text(identity.birth_date, day), seen_on=day.isoformat())
    store.insert(tx, invoice_id, settlement_id=settlement.id, account_id=settlement.account_id, document=document,
                 now=now)
    outbox.publish(tx, "invoice.issue", invoice_id, due=now, now=now)


def _line(item: Item, left_fen: int) -> ebill.Item:
    """An item as the bill lists it; of a partly refunded one, the rest in one piece."""
    category = rules.category(item)
    if left_fen == item.amount_fen:
        return ebill.Item(item.code, item.name, item.specification, item.unit, item.quantity, item.unit_price_fen,
                          left_fen, *category)
    return ebill.Item(item.code, item.name, item.specification, item.unit, 1, left_fen, left_fen, *category,
                      "部分退费后")


def issue(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Have a bill issued; asks first when it may have been before. Raises Rejected, Unanswered: it is tried again."""
    invoice = store.by_id(db, job.subject_id)
    if invoice is None or invoice.state != "ORDERED":
        return None
    document = store.document(db, invoice.id)
    issued = None
    if invoice.sent_at is not None:
        known = ebill.state_of(invoice.bus_no, document.bus_type)
        issued = known.issued if known is not None else None
    if issued is None:
        with db.transaction() as tx:
            if not _send(tx, invoice, now):
                return None
        issued = ebill.issue(document)
    with db.transaction() as tx:
        settlement_store.by_id(tx, invoice.settlement_id, lock=True)  # first, as in adjust
        current = store.by_id(tx, invoice.id, lock=True)
        if current is None or current.state != "ORDERED":
            return None
        store.set_issued(tx, current, issued, now)
        outbox.publish(tx, "invoice.fetch", invoice.id, due=now, now=now)
        outbox.publish(tx, "invoice.adjust", invoice.settlement_id, due=now, now=now)
    log.event("invoice.issued", invoice_id=invoice.id)
    return None


def _send(tx: Transaction, invoice: Invoice, now: datetime) -> bool:
    """From here on the platform may have the bill, which it does not know now. False when it is void.

    One that was asked for long ago, and that a refund has overtaken since, is void too.
    """
    settlement = settlement_store.by_id(tx, invoice.settlement_id, lock=True)
    current = store.by_id(tx, invoice.id, lock=True)
    if settlement is None or current is None or current.state != "ORDERED":
        return False
    lost = current.sent_at is None or now - current.sent_at > ON_ITS_WAY
    if lost and current.amount_fen != settlement.net_fen:
        store.move(tx, current, "VOID", now)
        outbox.publish(tx, "invoice.adjust", settlement.id, due=now, now=now)
        return False
    store.mark_sent(tx, current.id, now)
    return True


def fetch(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Keep a copy of a bill's PDF: private, encrypted at rest. Raises Unanswered."""
    invoice = store.by_id(db, job.subject_id)
    if invoice is None or invoice.file_key or not invoice.number:
        return None
    key = f"invoices/{invoice.id}.pdf"
    cos.put(key, ebill.fetch_file(store.file_url(db, invoice.id)), content_type="application/pdf")
    with db.transaction() as tx:
        store.set_file(tx, invoice.id, key)
    return None


def write_off(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Have a bill written off in red, once. Raises Rejected (turned to paper), Unanswered: it is tried again."""
    invoice = store.by_id(db, job.subject_id)
    if invoice is None or invoice.state != "WRITING_OFF":
        return None
    assert invoice.write_off_at is not None
    known = ebill.state_of(invoice.bus_no, store.document(db, invoice.id).bus_type)
    if known is not None and known.on_paper and not known.written_off:
        _leave_to_desk(db, invoice.id, now)
        return None
    if known is not None and known.written_off:
        red = known.red_batch_code, known.red_number
    else:
        red = ebill.write_off(invoice.batch_code, invoice.number, reason=WRITE_OFF_REASON, operator=OPERATOR,
                              at=invoice.write_off_at)
    with db.transaction() as tx:
        settlement_store.by_id(tx, invoice.settlement_id, lock=True)  # first, as in adjust
        current = store.by_id(tx, invoice.id, lock=True)
        if current is None or current.state != "WRITING_OFF":
            return None
        store.move(tx, current, "WRITTEN_OFF", now, red_batch_code=red[0], red_number=red[1])
        outbox.publish(tx, "invoice.adjust", invoice.settlement_id, due=now, now=now)
    log.event("invoice.written-off", invoice_id=invoice.id)
    return None


def _leave_to_desk(db: Database, invoice_id: str, now: datetime) -> None:
    """Only who holds the paper form can have the bill written off; nothing is issued beside it."""
    with db.transaction() as tx:
        current = store.by_id(tx, invoice_id, lock=True)
        if current is not None and current.state == "WRITING_OFF":
            store.move(tx, current, "ON_PAPER", now)
            tasks.add(tx, kind="invoice.on-paper", subject_id=invoice_id, now=now,
                      detail=f"refunded after it was printed: {current.batch_code} {current.number}")


def on_paper(db: Database, settlement_id: str) -> bool:
    """Whether a settlement's bill was turned to paper, as far as the platform tells now; the HIS decides."""
    invoice = store.live(db, settlement_id)
    if invoice is None or invoice.state != "ISSUED":
        return False
    try:
        known = ebill.state_of(invoice.bus_no, store.document(db, invoice.id).bus_type)
    except Unanswered as silence:
        log.event("ebill.unanswered", invoice_id=invoice.id, reason=silence.reason)
        return False
    return known is not None and known.on_paper


WORKER: dict[str, outbox.Handler] = {
    "invoice.adjust": adjust, "invoice.issue": issue, "invoice.fetch": fetch, "invoice.write-off": write_off}

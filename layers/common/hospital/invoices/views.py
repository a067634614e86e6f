"""How e-bills are shown to their owner."""

from __future__ import annotations

from datetime import datetime

from hospital.database.policy import Policy
from hospital.invoices.store import Invoice
from hospital.runtime.http import Model

STATES = {"ORDERED": "开具中", "ISSUED": "已开具", "WRITING_OFF": "冲红中", "WRITTEN_OFF": "已冲红",
          "ON_PAPER": "已换开纸质票据"}


class Jump(Model):
    """Where ``wx.navigateToMiniProgram`` leads: the province's e-bill mini-program."""

    app_id: str
    path: str


class InvoiceView(Model):
    """A fiscal e-bill. The numbers are empty until it is issued."""

    id: str
    state: str
    state_text: str
    amount_fen: int
    batch_code: str
    number: str
    check_code: str
    issued_at: datetime | None
    red_batch_code: str
    red_number: str
    has_file: bool
    jump: Jump | None


def view(invoice: Invoice, settings: Policy) -> InvoiceView:
    """One bill as the client shows it."""
    jump = None
    if settings.ebill_app_id and invoice.number:
        jump = Jump(app_id=settings.ebill_app_id, path=settings.ebill_page(
            batch_code=invoice.batch_code, number=invoice.number, check_code=invoice.check_code))
    return InvoiceView(
        id=invoice.id, state=invoice.state, state_text=STATES[invoice.state], amount_fen=invoice.amount_fen,
        batch_code=invoice.batch_code, number=invoice.number, check_code=invoice.check_code,
        issued_at=invoice.issued_at, red_batch_code=invoice.red_batch_code, red_number=invoice.red_number,
        has_file=bool(invoice.file_key), jump=jump)

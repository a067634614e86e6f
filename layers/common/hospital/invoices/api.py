"""The ``invoice`` function: my e-bills, and a link to each one's PDF that is good for minutes."""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database import policy
from hospital.database.connection import database
from hospital.gateways import cos
from hospital.invoices import store
from hospital.invoices.store import Invoice
from hospital.invoices.views import InvoiceView, view
from hospital.patients import access
from hospital.runtime.canonical import OptionalId
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import Conflict, NotFound
from hospital.runtime.http import Api, Model
from hospital.security import audit
from hospital.security.sessions import Caller, authenticate
from hospital.security.watch import watch

api = Api("invoice", authenticate, watch)

PAGE = 20
LINK_LIFE = timedelta(minutes=10)


class Cursor(Model):
    """Where a page starts: the last id of the page before."""

    before: OptionalId = ""


class Invoices(Model):
    """A page of e-bills, newest first. ``next`` is the cursor of the page after, if any."""

    invoices: list[InvoiceView]
    next: str | None


class Link(Model):
    """Where the PDF is until ``expires_at``; whoever has the address can open it."""

    url: str
    expires_at: datetime


@api.get("/invoices")
def list_invoices(caller: Caller, query: Cursor) -> Invoices:
    """My e-bills (电子票据), newest first."""
    db = database()
    readable = access.allowed(db, caller.account_id, "RECORD", utc_now())
    page = store.page_of_account(db, caller.account_id, readable, query.before, PAGE + 1)
    settings = policy.load(db)
    return Invoices(invoices=[view(one, settings) for one in page[:PAGE]],
                    next=page[PAGE - 1].id if len(page) > PAGE else None)


@api.get("/invoices/<invoice_id>")
def get_invoice(caller: Caller, invoice_id: str) -> InvoiceView:
    """One e-bill, with the way to the province's mini-program."""
    return view(_mine(caller, invoice_id), policy.load(database()))


@api.post("/invoices/<invoice_id>/link")
def link(caller: Caller, invoice_id: str) -> Link:
    """A link to the PDF, good for ten minutes: to view, to keep, to send on."""
    invoice = _mine(caller, invoice_id)
    if not invoice.file_key:
        raise Conflict("电子票据正在生成，请稍后查看。", code="file_not_ready")
    with database().transaction() as tx:  # before there is a link: whoever has it can open the bill
        audit.by_account(tx, caller.account_id, "invoice.link", invoice.id, utc_now())
    url = cos.link(invoice.file_key, seconds=int(LINK_LIFE.total_seconds()),
                   filename=f"电子票据{invoice.batch_code}-{invoice.number}.pdf")
    return Link(url=url, expires_at=utc_now() + LINK_LIFE)


def _mine(caller: Caller, invoice_id: str) -> Invoice:
    invoice = store.of_account(database(), caller.account_id, invoice_id)
    if invoice is None or invoice.state == "VOID":
        raise NotFound("未找到该电子票据。", code="invoice_not_found")
    access.check(database(), caller.account_id, store.patient_of(database(), invoice), "RECORD", utc_now())
    return invoice

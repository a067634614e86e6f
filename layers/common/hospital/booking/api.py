"""The ``booking`` function: what is on sale, registrations. Reads that decide nothing go to the stores."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from werkzeug.wrappers import Response

from hospital.booking import moves, service, sold_out, store, views, waiting_room
from hospital.booking.model import NewBooking, NewPlace
from hospital.database import policy, repeats
from hospital.database.connection import database
from hospital.messages import store as messages
from hospital.patients import access
from hospital.runtime.canonical import Id, OptionalId
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import AppError, NotFound
from hospital.runtime.http import Api, Call, Model
from hospital.schedules import api as schedule_api
from hospital.schedules import store as schedule_store
from hospital.schedules.api import Doctors, DoctorView, TodayOnly, doctor_views
from hospital.security.sessions import Caller, authenticate, shown
from hospital.security.watch import watch
from hospital.site import store as site

api = Api("booking", authenticate, watch)
schedule_api.register(api)

PAGE = 20
SHORT = 1024  # bytes; no honest order for a place is longer, and its body has come with its head


class BookingIn(Model):
    """A place to take. ``fee_fen`` is what the patient was shown; no ``slot_id``: any free place."""

    patient_id: Id
    schedule_id: Id
    slot_id: Id | None = None
    fee_fen: Annotated[int, Field(ge=0, le=10_000_000, strict=True)]


class Held(Model):
    """A place taken and held until ``expires_at``."""

    id: str
    state: Literal["HELD"]
    starts_at: datetime
    fee_fen: int
    needs_payment: bool
    expires_at: datetime


class TicketIn(Model):
    """What the ticket is for."""

    schedule_id: Id


class Ticket(Model):
    """A place in the rush: book from ``admitted_at`` on, with ``ticket``; an empty one is not needed.

    ``ahead``: how many are admitted before, at most.
    """

    ticket: str
    admitted_at: datetime
    ahead: int


class Cursor(Model):
    """Where a page starts: the last id of the page before."""

    before: OptionalId = ""


class RefundView(Model):
    """Money on its way back, or arrived."""

    state: Literal["REQUESTED", "PROCESSING", "SUCCEEDED", "STUCK", "GIVEN_UP", "ELSEWHERE"]
    amount_fen: int
    succeeded_at: datetime | None


class ChangeView(Model):
    """What a registration was before the hospital changed it at ``at``."""

    at: datetime
    doctor_id: str
    doctor_name: str
    visit_date: date
    period: str
    starts_at: datetime
    clinic_room: str


class StoppedView(Model):
    """The session does not take place: until when the patient may choose; then the money goes back by itself."""

    choose_until: datetime


class MovingView(Model):
    """Where a registration is being moved to. ``difference_fen`` is to be paid first, or (negative) comes back."""

    state: Literal["HELD", "AWAITING_PAYMENT", "MOVING"]
    schedule_id: str
    slot_id: str
    doctor_name: str
    doctor_title: str
    visit_date: date
    period: str
    starts_at: datetime
    fee_fen: int
    difference_fen: int
    expires_at: datetime
    can_pay: bool


class BookingView(Model):
    """A registration with its state and what can be done now. Names of patients are masked.

    ``can_move``: the hospital has stopped or changed it, so that it may go to another place.
    ``changes``: what it was before the hospital gave it another doctor, time or room, the earliest first.
    ``attendance``: once the hospital has said who came. ``is_offer``: made by the house for who waited for it (候补).
    ``withheld``: the account may not read of the patient any more (unbound, or consent is missing); what is left says
    what becomes of it and of its money.
    """

    id: str
    state: str
    state_text: str
    reason: str
    reason_text: str
    patient_id: str
    patient_name: str
    doctor_id: str
    doctor_name: str
    doctor_title: str
    department_name: str
    visit_date: date
    period: str
    starts_at: datetime
    clinic_room: str
    fee_fen: int
    needs_payment: bool
    expires_at: datetime | None
    visit_number: str
    location: str
    queue_number: str
    queue_place: str
    late: bool
    attendance: Literal["", "ATTENDED", "ABSENT"]
    is_offer: bool
    can_pay: bool
    can_cancel: bool
    can_move: bool
    stopped: StoppedView | None
    moving: MovingView | None
    cancel_until: datetime
    refunds: list[RefundView]
    changes: list[ChangeView]
    created_at: datetime
    withheld: bool


class Bookings(Model):
    """A page of registrations, newest first. ``next`` is the cursor of the page after, if any."""

    bookings: list[BookingView]
    next: str | None


class Home(Model):
    """What the home page shows: the newest registrations, doctors seen before, how many messages are unread."""

    bookings: list[BookingView]
    doctors: list[DoctorView]
    unread: int


class Offer(Model):
    """A session with free places to go to instead; ``difference_fen`` is to be paid, or (negative) comes back.

    Its times are those of ``/sessions/<id>/slots``.
    """

    id: str
    doctor_id: str
    doctor_name: str
    doctor_title: str
    visit_date: date
    period: str
    kind: str
    fee_fen: int
    difference_fen: int
    starts_at: datetime
    clinic_room: str
    free: int


class Alternatives(Model):
    """Where else there is a place, what is likest first. ``booking`` is what it is instead of."""

    booking: BookingView
    offers: list[Offer]


class MoveIn(Model):
    """A place to go to. ``fee_fen`` is what the patient was shown; no ``slot_id``: any free place."""

    schedule_id: Id
    slot_id: Id | None = None
    fee_fen: Annotated[int, Field(ge=0, le=10_000_000, strict=True)]


class Payment(Model):
    """How to pay: the parameters of ``wx.requestPayment``; null when nothing is to be paid now."""

    booking: BookingView
    payment: dict[str, str] | None


def _turn_away(call: Call) -> None:
    """Who can't get a place now is told so before anything is asked of the database.

    What they show is not proven, so that nothing is said here but what everybody may know. Whatever is odd about the
    request is said by the ordinary way.
    """
    db, now = database(), utc_now()
    room = waiting_room.is_on(db)
    token, _ = shown(call)
    if not (token and (room or sold_out.any_seen()) and 0 < (call.request.content_length or 0) <= SHORT):
        return
    try:
        order = BookingIn.model_validate_json(call.raw)
    except (ValidationError, AppError):
        return
    if room:
        waiting_room.check(db, call.header(waiting_room.HEADER), order.schedule_id, now)
    if sold_out.refuses(order.schedule_id, token, now):
        raise service.SlotGone


@api.post("/bookings", status=201, early=_turn_away)
def book(call: Call, caller: Caller, body: BookingIn) -> Held:
    """Take a place and hold it. Needs an Idempotency-Key; a repeat is given the first answer.

    In the rush after a release it may also need a ticket, in the header X-Ticket.
    """
    key, ticket = repeats.check_key(call.header("Idempotency-Key")), call.header(waiting_room.HEADER)
    if waiting_room.is_on(database()):  # also for whom nobody has turned away early
        waiting_room.check(database(), ticket, body.schedule_id, utc_now())
    waiting_room.check_owner(ticket, caller.account_id)
    answer = service.book_slot(
        database(), NewBooking(body.patient_id, body.schedule_id, body.slot_id, body.fee_fen),
        caller=caller, key=key, now=utc_now())
    return Response(answer, status=201, mimetype="application/json")  # type: ignore[return-value]


@api.post("/tickets")
def draw_ticket(caller: Caller, body: TicketIn) -> Ticket:
    """Draw a ticket for the rush on a session: the same one however often it is asked for."""
    db, now = database(), utc_now()
    session = schedule_store.session(db, body.schedule_id)
    if session is None:
        raise NotFound("未找到该出诊安排，请返回重试。", code="schedule_not_found")
    ticket = waiting_room.draw(caller.account_id, session.id, session.visit_date, policy.load(db, caller.policy), now)
    return Ticket(ticket=ticket.text, admitted_at=ticket.admitted_at, ahead=ticket.ahead)


@api.post("/bookings/<booking_id>/payment")
def pay(caller: Caller, booking_id: str) -> Payment:
    """Lock the place in the HIS and open the payment; may be repeated until it is paid."""
    parameters = service.pay_booking(database(), booking_id, account_id=caller.account_id, now=utc_now())
    return Payment(booking=_one(caller, booking_id), payment=parameters)


@api.post("/bookings/<booking_id>/cancellation", status=202)
def cancel(caller: Caller, booking_id: str) -> BookingView:
    """Cancel a registration, or give up a held place. What follows shows in its state."""
    service.cancel_booking(database(), booking_id, account_id=caller.account_id, now=utc_now())
    return _one(caller, booking_id)


@api.get("/bookings/<booking_id>/alternatives")
def alternatives(caller: Caller, booking_id: str) -> Alternatives:
    """Other doctors and times of the department, for a registration that the hospital has stopped or changed."""
    offers = moves.alternatives(database(), booking_id, account_id=caller.account_id, now=utc_now())
    return Alternatives(booking=_one(caller, booking_id), offers=[
        Offer(**{name: row[name] for name in Offer.model_fields}) for row in offers])


@api.post("/bookings/<booking_id>/move")
def move(caller: Caller, booking_id: str, body: MoveIn) -> Payment:
    """Go to another place; may be repeated until it is paid. What follows shows in the registration's ``moving``."""
    parameters = moves.move(database(), booking_id, NewPlace(body.schedule_id, body.slot_id, body.fee_fen),
                            account_id=caller.account_id, now=utc_now())
    return Payment(booking=_one(caller, booking_id), payment=parameters)


@api.get("/bookings")
def list_bookings(caller: Caller, query: Cursor) -> Bookings:
    """My registrations (我的挂号), newest first."""
    page = store.page_of_account(database(), caller.account_id, query.before, PAGE + 1)
    shown = [BookingView(**one) for one in views.bookings(database(), caller.account_id, page[:PAGE], utc_now())]
    return Bookings(bookings=shown, next=page[PAGE - 1].id if len(page) > PAGE else None)


@api.get("/home")
def home(caller: Caller) -> Home:
    """All that the home page asks for, in one answer."""
    return Home(bookings=list_bookings(caller, Cursor()).bookings, doctors=doctors_seen(caller, TodayOnly()).doctors,
                unread=messages.unread(database(), caller.account_id))


@api.get("/bookings/<booking_id>")
def get_booking(caller: Caller, booking_id: str) -> BookingView:
    """One registration with its state."""
    return _one(caller, booking_id)


@api.get("/doctors/seen")
def doctors_seen(caller: Caller, query: TodayOnly) -> Doctors:
    """Quick registration (快捷挂号): doctors my patients were registered with before."""
    db = database()
    mine = access.allowed(db, caller.account_id, "OWN", utc_now())
    seen = store.doctors_seen(db, caller.account_id, sorted(mine))
    return Doctors(doctors=doctor_views(db, site.doctors(db, seen), query.today))


def _one(caller: Caller, booking_id: str) -> BookingView:
    booking = store.of_account(database(), caller.account_id, booking_id)
    if booking is None:
        raise NotFound("未找到该挂号记录。", code="booking_not_found")
    return BookingView(**views.bookings(database(), caller.account_id, [booking], utc_now())[0])

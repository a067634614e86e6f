"""The ``feedback`` function: rating a visit; complaints, suggestions, praise and questions, with pictures."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictInt, StrictStr

from hospital.database import repeats
from hospital.database.connection import database
from hospital.feedback import complaint_store, complaints, pictures, surveys, views
from hospital.feedback.model import About, ComplaintKind, NewComplaint
from hospital.runtime.canonical import Id, OptionalId, Text
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import NotFound
from hospital.runtime.http import Api, Call, Model
from hospital.security.sessions import Caller, authenticate
from hospital.security.watch import watch

api = Api("feedback", authenticate, watch)

PAGE = 20
Long = Annotated[Text, Field(min_length=5, max_length=2000)]


class Answers(Model):
    """Answers to a version of the questions, by question."""

    version: Annotated[int, Field(ge=1, le=1_000_000)]
    answers: Annotated[dict[Annotated[str, Field(max_length=32)],
                            StrictInt | Annotated[StrictStr, Field(max_length=2000)]], Field(max_length=50)]


class Rated(Model):
    """How a visit's survey stands now."""

    state: surveys.State


class Cursor(Model):
    """Where a page starts: the last id of the page before."""

    before: OptionalId = ""


class Complaints(Model):
    """A page, newest first. ``next`` is the cursor of the page after, if any."""

    complaints: list[views.Brief]
    next: str | None


class ComplaintIn(Model):
    """What is written to the hospital. ``about_id``: the registration, department or doctor that it is about."""

    kind: ComplaintKind
    about: About = "NOTHING"
    about_id: OptionalId = ""
    text: Long
    picture_ids: Annotated[list[Id], Field(max_length=9)] = []


class Stars(Model):
    """How the answer was."""

    stars: Annotated[int, Field(ge=1, le=5)]


class Reason(Model):
    """Why it is to be looked at once more."""

    text: Long


class PictureIn(Model):
    """A picture that is to be uploaded."""

    content_type: Annotated[str, Field(pattern=f"^({'|'.join(pictures.TYPES)})$")]


class Upload(Model):
    """Where to post the file (multipart/form-data, ``fields`` first, then ``file``), until ``until``."""

    id: str
    url: str
    fields: dict[str, str]
    most_bytes: int
    until: datetime


# -- surveys ----------------------------------------------------------------------------------------
@api.get("/visits/<booking_id>/survey")
def get_survey(caller: Caller, booking_id: str) -> views.SurveyView:
    """The questions about one of my visits, and whether they may be answered (满意度评价)."""
    db = database()
    return views.survey(db, surveys.show(db, caller.account_id, booking_id, utc_now()))


@api.post("/visits/<booking_id>/survey")
def answer_survey(caller: Caller, booking_id: str, body: Answers) -> Rated:
    """Rate one of my visits, once; a repeat gets the state that the first answer has made."""
    return Rated(state=surveys.answer(database(), caller.account_id, booking_id, body.version, body.answers,
                                        utc_now()))


# -- complaints -------------------------------------------------------------------------------------
@api.get("/complaints")
def list_complaints(caller: Caller, query: Cursor) -> Complaints:
    """What I have written to the hospital, newest first."""
    db, now = database(), utc_now()
    page = complaint_store.page_of_account(db, caller.account_id, query.before, PAGE + 1)
    return Complaints(complaints=views.briefs(db, caller.account_id, page[:PAGE], now),
                      next=page[PAGE - 1].id if len(page) > PAGE else None)


@api.post("/complaints", status=201)
def file_complaint(caller: Caller, body: ComplaintIn, call: Call) -> views.ComplaintView:
    """Write to the hospital (投诉、建议、表扬、咨询). Needs an ``Idempotency-Key``."""
    key, now = repeats.check_key(call.header("Idempotency-Key")), utc_now()
    new = NewComplaint(body.kind, body.about, body.about_id, body.text, list(dict.fromkeys(body.picture_ids)))
    complaint_id = complaints.file(database(), caller.account_id, new, key=key, now=now)
    return _shown(caller, complaint_id, now)


@api.get("/complaints/<complaint_id>")
def get_complaint(caller: Caller, complaint_id: str) -> views.ComplaintView:
    """One of mine, with everything that happened to it."""
    return _shown(caller, complaint_id, utc_now())


@api.post("/complaints/<complaint_id>/withdrawal")
def withdraw_complaint(caller: Caller, complaint_id: str) -> views.ComplaintView:
    """Take it back, before it is answered; may be repeated."""
    now = utc_now()
    complaints.withdraw(database(), caller.account_id, complaint_id, now)
    return _shown(caller, complaint_id, now)


@api.post("/complaints/<complaint_id>/rating")
def rate_answer(caller: Caller, complaint_id: str, body: Stars) -> views.ComplaintView:
    """Say how the hospital's answer was; may be repeated."""
    now = utc_now()
    complaints.rate(database(), caller.account_id, complaint_id, body.stars, now)
    return _shown(caller, complaint_id, now)


@api.post("/complaints/<complaint_id>/reopening")
def reopen_complaint(caller: Caller, complaint_id: str, body: Reason) -> views.ComplaintView:
    """Have an answered one looked at once more, once."""
    now = utc_now()
    complaints.reopen(database(), caller.account_id, complaint_id, body.text, now)
    return _shown(caller, complaint_id, now)


def _shown(caller: Caller, complaint_id: str, now: datetime) -> views.ComplaintView:
    db = database()
    one = complaint_store.of_account(db, caller.account_id, complaint_id)
    if one is None:
        raise NotFound("未找到该投诉或建议，请返回重试。", code="complaint_not_found")
    return views.complaint(db, caller.account_id, one, now)


# -- pictures ---------------------------------------------------------------------------------------
@api.post("/pictures", status=201)
def order_picture(caller: Caller, body: PictureIn) -> Upload:
    """A place for one picture: whoever has the form uploads one file of this type into it."""
    one, form = pictures.order(database(), caller.account_id, body.content_type, utc_now())
    return Upload(id=one.id, url=form.url, fields=form.fields, most_bytes=pictures.MOST_BYTES, until=one.upload_until)


@api.post("/pictures/<picture_id>/uploaded")
def picture_uploaded(caller: Caller, picture_id: str) -> views.PictureView:
    """The file is uploaded: it is looked at now; may be repeated."""
    return views.picture(pictures.uploaded(database(), caller.account_id, picture_id, utc_now()))


@api.get("/pictures/<picture_id>")
def get_picture(caller: Caller, picture_id: str) -> views.PictureView:
    """What has become of a picture of mine."""
    return views.picture(pictures.mine(database(), caller.account_id, picture_id))


@api.delete("/pictures/<picture_id>", status=204)
def discard_picture(caller: Caller, picture_id: str) -> None:
    """Take a picture back that I have not sent off."""
    pictures.discard(database(), caller.account_id, picture_id, utc_now())

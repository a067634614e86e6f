"""The ``content`` function: what anybody may read of the hospital, without a session. Cheap, and kept by clients."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import get_args

from werkzeug.wrappers import Response

from hospital.content import store
from hospital.content.model import PublicText
from hospital.database.connection import database
from hospital.database.policy import Policy, load_version
from hospital.gateways import cos
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import NotFound
from hospital.runtime.http import Api, Model

api = Api("content")

FRESH = 300  # seconds for which a client need not ask again
BADGE_LIFE = timedelta(minutes=30)
BADGE = "/api/content/badge"


class PlaceView(Model):
    """A point on a Chinese map (GCJ-02), in degrees."""

    latitude: float
    longitude: float


class HoursView(Model):
    """When something is open, in words: ``what`` 门诊, ``when`` 周一至周日 8:00–17:30."""

    what: str
    when: str


class TextView(Model):
    """A text in force, without its body. A ``version`` that has grown is to be read, or agreed to, again."""

    purpose: PublicText
    version: int
    title: str
    effective_at: datetime


class FullText(TextView):
    """A text in force."""

    body: str


class HospitalView(Model):
    """The hospital as anybody may know it. What is empty (or null) has not been given: it is not shown.

    ``badge`` is one or two characters; ``badge_picture`` is the address of a picture instead, relative to the API's.
    """

    name: str
    short_name: str
    badge: str
    badge_picture: str
    address: str
    place: PlaceView | None
    phone: str
    emergency_phone: str
    hours: list[HoursView]
    licence: str
    icp: str
    texts: list[TextView]


@api.get("/hospital", public=True, shared=True, fresh=FRESH)
def hospital() -> HospitalView:
    """The hospital: name, badge, where and when it is open, whom to call, and which texts are in force."""
    db = database()
    texts = store.texts_in_force(db, get_args(PublicText), utc_now())
    return _view(load_version(db), [TextView(**{name: row[name] for name in TextView.model_fields}) for row in texts])


@api.get("/texts/<purpose>", public=True, shared=True, fresh=FRESH)
def text(purpose: str) -> FullText:
    """A text in force: the privacy policy, the terms, what the hospital says of itself, what is consented to."""
    found = store.texts_in_force(database(), [purpose], utc_now()) if purpose in get_args(PublicText) else []
    if not found:
        raise NotFound("未找到该说明，请返回重试。", code="text_not_found")
    return FullText(**found[0])


@api.get("/badge", status=302, public=True)
def badge() -> Response:
    """The badge's picture: a redirect to where it lies for some minutes."""
    key = load_version(database()).hospital_badge_picture
    if not key:
        raise NotFound("医院没有设置徽标图片。", code="badge_not_found")
    address = cos.link(key, seconds=int(BADGE_LIFE.total_seconds()), filename=key.rpartition("/")[2])
    return Response(status=302, headers={"Location": address, "Cache-Control": f"public, max-age={FRESH}"})


def _view(settings: Policy, texts: list[TextView]) -> HospitalView:
    place = settings.hospital_place
    return HospitalView(
        name=settings.hospital_name, short_name=settings.hospital_short_name or settings.hospital_name,
        badge=settings.hospital_badge or settings.hospital_name[:1],
        badge_picture=BADGE if settings.hospital_badge_picture else "", address=settings.hospital_address,
        place=PlaceView(latitude=place.latitude, longitude=place.longitude) if place else None,
        phone=settings.hospital_phone, emergency_phone=settings.hospital_emergency_phone,
        hours=[HoursView(what=one.what, when=one.when) for one in settings.hospital_hours],
        licence=settings.hospital_licence, icp=settings.hospital_icp, texts=texts)

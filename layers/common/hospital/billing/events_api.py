"""The ``his_events`` function: what the hospital pushes. Checked over the raw bytes before anything is read."""

from __future__ import annotations

from hospital.billing import events
from hospital.database.connection import database
from hospital.gateways.his import events as his_events
from hospital.gateways.his import wire as his_wire
from hospital.runtime import log
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import BadRequest, Invalid, Unauthorized
from hospital.runtime.http import Api, Call

api = Api("his_events")


@api.post("/events", public=True)
def event(call: Call) -> None:
    """Something happened at the hospital: noted, then answered 204. What can't be read is kept for staff."""
    try:
        his_events.check_signature(call.request.headers, call.raw)
    except his_wire.NotGenuine as problem:
        log.event("event.refused", reason=problem.reason)
        raise Unauthorized("签名验证失败", code="signature_invalid") from None
    try:
        told = his_events.read_event(call.raw)
    except his_events.Unreadable as problem:
        log.event("event.unreadable", fields=problem.fields)
        events.refuse(database(), call.raw, problem.fields, utc_now())
        if not problem.fields:
            raise BadRequest(code="malformed_json") from None
        raise Invalid(code="event_unreadable", fields=problem.fields) from None
    log.event("his.event", event_id=told.event_id, type=told.type)
    events.take(database(), told, utc_now())

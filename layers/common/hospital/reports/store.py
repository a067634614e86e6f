"""SQL of reports. What was sent is sealed whole; files lie in COS under keys that only the sealed part names."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.gateways.report_systems import Form, Sender
from hospital.patients import store as patients
from hospital.patients.record_store import SAME
from hospital.reports.model import Report
from hospital.reports.rules import MOVES, State
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import new_id
from hospital.security import cipher

Source = Database | Transaction
Way = Literal["PUSH", "POLL"]
Owner = Literal["WAITING", "MATCHED", "MISMATCH"]


class File(Struct, frozen=True):
    """A file of a report, by its key in COS. ``key`` is empty for one that only lies at the sender's."""

    key: str
    media_type: str
    title: str


class Content(Struct, frozen=True):
    """What a sending says, without the bytes of its files."""

    report: Report
    files: tuple[File, ...]


class Kept(Struct, frozen=True):
    """A report with the version in force."""

    id: str
    sender: Sender
    patient_id: str | None
    owner: Owner
    state: State
    version_id: str
    shown_at: datetime | None
    received_at: datetime
    content: Content


class Version(Struct, frozen=True):
    """A sending of a report, as its history lists it."""

    id: str
    status: str
    told_at: datetime | None
    received_at: datetime


def key_of(sender: Sender, report: Report) -> bytes:
    """What names a report for ever."""
    return cipher.lookup("report", "\n".join((sender, report.source, report.number)))


def version_key(report: Report) -> bytes:
    """What names a sending of it: the sender's number, or where there is none its content."""
    return hashlib.sha256(f"id:{report.version.id}".encode()).digest() if report.version.id else content_hash(report)


def content_hash(report: Report) -> bytes:
    """What tells whether two sendings say the same; when and how they were written does not count."""
    same = replace(report, version=replace(report.version, id="", at=None, digest=""), notes=(), reported=None,
                   audited=None)
    return hashlib.sha256(msgspec.json.encode(same)).digest()


def file_key(sender: Sender, report: Report, data: bytes) -> str:
    """Where a file lies: nobody can guess it, and the same file of the same report lies there once."""
    told = "\n".join((sender, report.source, report.number, hashlib.sha256(data).hexdigest()))
    return f"reports/{cipher.lookup('report.file', told).hex()}"


# -- reports ----------------------------------------------------------------------------------------
_KEPT = ("SELECT r.id, r.sender, r.patient_id, r.owner, r.state, r.version_id, r.shown_at, v.received_at, "
         "v.content_enc FROM reports r JOIN report_versions v ON v.id = r.version_id")


def known_version(source: Source, key: bytes, version: bytes) -> bytes | None:
    """The content hash of a sending that came before; None: it is new."""
    row = source.one("SELECT v.content_hash FROM reports r JOIN report_versions v ON v.report_id = r.id "
                     "WHERE r.key_hash = %s AND v.version_key = %s", (key, version))
    return bytes(row["content_hash"]) if row else None


def known_of(source: Source, report_id: str, version: bytes) -> bytes | None:
    """The content hash of a sending of a report."""
    row = source.one("SELECT content_hash FROM report_versions WHERE report_id = %s AND version_key = %s",
                     (report_id, version))
    return bytes(row["content_hash"]) if row else None


def locked(tx: Transaction, key: bytes) -> Row | None:
    """A report as it stands, locked: id, owner, patient, state, shown_at, and of its version told_at and content."""
    row = tx.one("SELECT id, owner, patient_id, state, version_id, shown_at FROM reports WHERE key_hash = %s "
                 "FOR UPDATE", (key,))
    if row is None:
        return None
    version = tx.one("SELECT told_at, content_hash FROM report_versions WHERE id = %s", (row["version_id"],))
    assert version is not None
    return {**row, **version}


def insert(tx: Transaction, *, sender: Sender, key: bytes, codes: list[str], document: str, owner: Owner,
           patient_id: str | None, state: State, now: datetime) -> tuple[str, str]:
    """A report that came for the first time; its id and its version's. Raises Duplicate (``reports_key``)."""
    report_id, version_id = new_id(), new_id()
    tx.insert("reports", id=report_id, sender=sender, key_hash=key,
              code_hash=cipher.lookup(patients.CODE, codes[0]) if codes else None,
              document_hash=patients.document_key("ID_CARD", document) if document else None, patient_id=patient_id,
              owner=owner, state=state, version_id=version_id, shown_at=None, created_at=now, changed_at=now)
    return report_id, version_id


def insert_version(tx: Transaction, report_id: str, version_id: str, content: Content, *, by: Way, now: datetime
                   ) -> None:
    """A sending. Raises Duplicate when it came before."""
    report = content.report
    tx.insert("report_versions", id=version_id, report_id=report_id, version_key=version_key(report),
              content_hash=content_hash(report), status=report.status, came_by=by,
              told_at=report.version.at.at if report.version.at else None, received_at=now,
              content_enc=cipher.seal(msgspec.json.encode(content).decode(), f"report_versions.content:{version_id}"))


def put_in_force(tx: Transaction, report_id: str, version_id: str, before: State, state: State, now: datetime) -> None:
    """A locked report shows another version. Raises IllegalMove."""
    if state != before and state not in MOVES[before]:
        raise IllegalMove(f"report {report_id}: {before} to {state}")
    tx.run("UPDATE reports SET version_id = %s, state = %s, changed_at = %s WHERE id = %s",
           (version_id, state, now, report_id))


def set_owner(tx: Transaction, report_id: str, owner: Owner, patient_id: str | None, now: datetime) -> None:
    """Whose a locked report is."""
    tx.run("UPDATE reports SET owner = %s, patient_id = %s, changed_at = %s WHERE id = %s",
           (owner, patient_id, now, report_id))


def set_shown(tx: Transaction, report_id: str, now: datetime) -> None:
    """From now on there is, or was, something to be seen."""
    tx.run("UPDATE reports SET shown_at = %s WHERE id = %s AND shown_at IS NULL", (now, report_id))


def by_id(source: Source, report_id: str, *, lock: bool = False) -> Kept | None:
    """One report."""
    if lock and source.one("SELECT id FROM reports WHERE id = %s FOR UPDATE", (report_id,)) is None:
        return None
    row = source.one(f"{_KEPT} WHERE r.id = %s", (report_id,))
    return _kept(row) if row else None


def page_of_patient(source: Source, patient_id: str, before: str, limit: int) -> list[Kept]:
    """The reports of a person, under whichever document, newest first; none that was never to be seen and is gone."""
    return [_kept(row) for row in source.all(
        f"{_KEPT} WHERE r.patient_id IN {SAME} AND r.owner = 'MATCHED' AND r.id < %s "
        "AND (r.shown_at IS NOT NULL OR r.state <> 'WITHDRAWN') ORDER BY r.id DESC LIMIT %s",
        (patient_id, before or "Z" * 26, limit))]


def is_of(source: Source, kept: Kept, patient_id: str) -> bool:
    """Whether a report is this person's."""
    return kept.owner == "MATCHED" and source.one(
        f"SELECT 1 AS found FROM patients WHERE id = %s AND id IN {SAME}", (kept.patient_id, patient_id)) is not None


def versions(source: Source, report_id: str) -> list[Version]:
    """All sendings of a report, oldest first."""
    return [Version(**row) for row in source.all(
        "SELECT id, status, told_at, received_at FROM report_versions WHERE report_id = %s ORDER BY id", (report_id,))]


def waiting_for(source: Source, code_hashes: Iterable[bytes], document_hash: bytes) -> list[str]:
    """Reports that are nobody's yet, and may be theirs by what the sender knows of them; the oldest first."""
    found: set[str] = {row["id"] for row in source.all(
        "SELECT id FROM reports WHERE document_hash = %s AND owner <> 'MATCHED'", (document_hash,))}
    for one in code_hashes:
        found |= {row["id"] for row in source.all(
            "SELECT id FROM reports WHERE code_hash = %s AND owner <> 'MATCHED'", (one,))}
    return sorted(found)


def _kept(row: Row) -> Kept:
    told = cipher.unseal(row.pop("content_enc"), f"report_versions.content:{row['version_id']}")
    return Kept(**row, content=msgspec.json.decode(told, type=Content))


# -- what could not be read ---------------------------------------------------------------------------
def keep_refused(tx: Transaction, *, sender: Sender, form: Form, body: bytes, reason: str, place: str, now: datetime
                 ) -> None:
    """A message that can't be shown, whole and sealed, once however often it comes."""
    row_id, digest = new_id(), hashlib.sha256(sender.encode() + b"\n" + body).digest()
    packed = base64.b64encode(zlib.compress(body)).decode()
    try:
        tx.insert("report_refusals", id=row_id, sender=sender, form=form, body_hash=digest, reason=reason[:40],
                  place=place[:200], state="OPEN", received_at=now, changed_at=now,
                  body_enc=cipher.seal(packed, f"report_refusals.body:{row_id}"))
    except Duplicate:  # it came again, or was read again in vain
        tx.run("UPDATE report_refusals SET reason = %s, place = %s, state = 'OPEN', changed_at = %s "
               "WHERE body_hash = %s", (reason[:40], place[:200], now, digest))


def read_again(tx: Transaction, cause: str, now: datetime) -> int:
    """Staff want the messages of a cause (sender and reason) read once more; how many there are."""
    sender, _, reason = cause.partition(":")
    return tx.run("UPDATE report_refusals SET state = 'AGAIN', changed_at = %s "
                  "WHERE sender = %s AND reason = %s AND state = 'OPEN'", (now, sender, reason))


def to_read_again(source: Source, limit: int) -> list[Row]:
    """Messages that staff want read once more: id, sender, form and body."""
    rows = source.all("SELECT id, sender, form, body_enc FROM report_refusals WHERE state = 'AGAIN' "
                      "ORDER BY id LIMIT %s", (limit,))
    return [{**row, "body": zlib.decompress(base64.b64decode(
        cipher.unseal(row.pop("body_enc"), f"report_refusals.body:{row['id']}")))} for row in rows]


def refusal_taken(tx: Transaction, row_id: str, now: datetime) -> None:
    """It could be read after all."""
    tx.run("UPDATE report_refusals SET state = 'TAKEN', changed_at = %s WHERE id = %s", (now, row_id))


# -- how far lists were read --------------------------------------------------------------------------
def position(source: Source, sender: Sender) -> str:
    """From where a system's list is to be read on; empty: from its beginning."""
    row = source.one("SELECT position FROM report_cursors WHERE sender = %s", (sender,))
    return str(row["position"]) if row else ""


def set_position(tx: Transaction, sender: Sender, text: str, now: datetime) -> None:
    """A system's list has been read so far."""
    tx.run("REPLACE INTO report_cursors (sender, position, changed_at) VALUES (%s, %s, %s)", (sender, text, now))

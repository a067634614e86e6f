"""FHIR R4: a DiagnosticReport, alone or in a bundle with what it refers to, into reports."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from hashlib import sha1, sha256
from itertools import chain
from typing import Any

from hospital.reports.model import (
    Attachment,
    Contradictory,
    Identifier,
    Moment,
    Note,
    Person,
    Report,
    Status,
    Unreadable,
    Version,
)
from msgspec.structs import replace

from report_readers import attachments, checks, codes
from report_readers.fhir_items import Items, named, taken_moment
from report_readers.fhir_resources import Json, Resource, Resources, View, key, rest, validated
from report_readers.json_text import parse
from report_readers.limits import DEFAULT, Limits, Noting, at_most
from report_readers.microbiology import is_tested

_SECTIONS = "http://terminology.hl7.org/CodeSystem/v2-0074"


def read_fhir(content: bytes, limits: Limits = DEFAULT) -> tuple[Report, ...]:
    """The reports of one body, in its order. Raises Unreadable, Contradictory."""
    told = parse(content, limits)
    validated(told)
    resources = Resources(told, limits)
    heads = [one for one in resources.all if one.type == "DiagnosticReport"]
    if not heads:
        raise Unreadable("no-report", "Bundle.entry", "there is no DiagnosticReport in the message")
    at_most(len(heads), limits.reports, "reports", "Bundle.entry")
    digest = sha256(content).hexdigest()
    readings = [_Reading(View(resources, head, shared=len(heads) > 1), digest, limits) for head in heads]
    found: list[Report] = []
    items = 0
    for one in readings:
        found.append(one.report(limits.items - items))
        items += one.items
    _left(resources, readings)
    noting = Noting(limits)
    reports = tuple(replace(report, notes=noting.all(chain(rest(resources.envelope, "Bundle"), reading.notes())))
                    for report, reading in zip(found, readings, strict=True))
    checks.together(reports)
    for report in reports:
        checks.check(report)
    return reports


def _left(resources: Resources, readings: list[_Reading]) -> None:
    """What no report refers to is noted with the reports of its patient, or with all when it is nobody's.

    Raises Contradictory when it is a patient's of whom there is no report.
    """
    seen = {at for reading in readings for at in reading.view.seen}
    for one in resources.all:
        if id(one) in seen:
            continue
        whose = [reference for name in ("subject", "patient") if isinstance(one.content.get(name), dict)
                 and (reference := one.content[name].get("reference"))]
        mine = [reading for reading in readings if all(reading.is_about(reference, one) for reference in whose)]
        if not mine or one.type == "Patient":
            raise Contradictory("result-without-report", one.label, "it belongs to no report of the message")
        for reading in mine:
            reading.view.claimed.append(one)


class _Reading:
    """One report being read, with what it refers to; ``items``: how many results it has."""

    def __init__(self, view: View, digest: str, limits: Limits) -> None:
        self.view, self._digest, self._limits = view, digest, limits
        self._head, self._node = view.head, view.head.content
        self._subject: tuple[str, Resource] | None = None
        self.items = 0

    def is_about(self, reference: str, at: Resource) -> bool:
        """Whether a reference means this report's patient."""
        return self._subject is not None and self.view.same(reference, at, *self._subject)

    def notes(self) -> Iterator[Note]:
        """What nobody took, in order."""
        for one in self.view.claimed:
            yield from rest(one.content, one.label)

    def report(self, most: int) -> Report:
        """The report, without its notes; it may have ``most`` results."""
        node, head = self._node, self._head
        status = self._status()
        told = (node.get("subject") or {}).get("reference", "")
        self._subject = (told, head) if told else None
        patient = self._patient()
        section = self._section()
        title = named(node.get("code") or {})
        titles = (title,) if title else ()
        reading = Items(self.view, most, self._limits)
        items = tuple(reading.of_references(node, "result", head, self._subject, title))
        self.items = reading.count
        kind = codes.kind_of(section, titles) or ("laboratory" if items else "other")
        if kind == "laboratory" and is_tested(items):
            kind = "microbiology"
        source, number = self._number()
        collected, received, specimen, accession = self._specimens()
        department, author = self._performers("performer")
        _, auditor = self._performers("resultsInterpreter")
        meta = node.get("meta") or {}
        at = taken_moment(meta, "lastUpdated")
        return Report(
            source=source, number=number, kind=kind, status=status, patient=patient, titles=titles,
            version=Version(str(meta.pop("versionId", "")), at, self._digest), items=items,
            findings="" if items or "conclusion" in node or "presentedForm" in node else self._narrative(),
            conclusion=self._conclusion(), attachments=self._files(), order_number=self._order(),
            accession_number=accession, visit_number=self._logical("encounter"),
            collected=taken_moment(node, "effectiveDateTime") or collected, received=received,
            reported=taken_moment(node, "issued"), specimen=specimen, department=department, author=author,
            auditor=auditor, sensitivity=self._security(meta))

    def _status(self) -> Status:
        told = self._node.pop("status", "")
        if told not in codes.FHIR_STATUS:
            raise Contradictory("status-unknown", f"{self._head.label}.status",
                                "the report's status is not among the codes")
        return codes.FHIR_STATUS[told]

    def _find(self, reference: Json, *kinds: str) -> Resource | None:
        """What a reference means, claimed; None when it is not in the message, or of another kind."""
        told = reference.get("reference", "")
        target = self.view.find(told, self._head) if told else None
        if target is None or target.type not in kinds:
            return None
        self.view.claim(told, self._head)
        del reference["reference"]
        return target

    def _number(self) -> tuple[str, str]:
        """Who numbers the report, and its number: by its first identifier, else by where it lies."""
        for one in self._node.get("identifier", []):
            if one.get("value"):
                assigner = (one.get("assigner") or {}).get("display", "")
                return str(one.pop("system", "") or assigner), str(one.pop("value"))
        url = self._head.url if not self._head.url.startswith("urn:") else ""
        base = url.removesuffix(f"/DiagnosticReport/{self._node.get('id', '')}")
        return str((self._node.get("meta") or {}).get("source", "") or base), str(self._node.get("id", ""))

    def _section(self) -> str:
        for category in self._node.get("category", []):
            for coding in category.get("coding", []):
                if coding.get("system") == _SECTIONS and coding.get("code"):
                    return str(coding["code"])
        return ""

    def _patient(self) -> Person:
        reference = self._node.get("subject")
        if not isinstance(reference, dict):
            return Person()
        target = self._find(reference, "Patient")
        if target is None:
            told = reference.get("reference", "")
            found = self.view.find(told, self._head) if told else None
            kind = found.type if found is not None else reference.get("type") or key(told).partition("/")[0]
            if "/" in key(told) and kind != "Patient":
                raise Unreadable("not-a-patient", f"{self._head.label}.subject", "the report is about no patient")
            numbers = [Identifier(key(told).removeprefix("Patient/"), "", "reference")] if told else []
            logical = reference.get("identifier") or {}
            if logical.get("value"):
                numbers.insert(0, _identifier(logical))
            return Person(tuple(numbers), reference.pop("display", ""))
        node = target.content
        numbers = [_identifier(one) for one in node.get("identifier", []) if one.get("value")]
        names = [name for one in node.get("name", []) if (name := _name(one))]
        names.sort(key=lambda name: name.isascii())  # the one in characters first, else as sent
        return Person(tuple(numbers), names[0] if names else "", tuple(names[1:]),
                      codes.SEX.get(str(node.pop("gender", "")).upper(), ""), taken_moment(node, "birthDate"))

    def _specimens(self) -> tuple[Moment | None, Moment | None, str, str]:
        """When it was taken, when it was received, what it is, its number."""
        collected, received, names, accession = None, None, [], ""
        for reference in self._node.get("specimen", []):
            target = self._find(reference, "Specimen")
            if target is None:
                names.append(reference.pop("display", ""))
                continue
            node = target.content
            names.append(named(node.get("type") or {}))
            collected = collected or taken_moment(node.get("collection") or {}, "collectedDateTime")
            received = received or taken_moment(node, "receivedTime")
            accession = accession or str((node.get("accessionIdentifier") or {}).pop("value", ""))
        return collected, received, ", ".join(dict.fromkeys(name for name in names if name)), accession

    def _performers(self, name: str) -> tuple[str, str]:
        """The organization and the person of a list; others are noted."""
        found = {"Organization": "", "Practitioner": ""}
        for reference in self._node.get(name, []):
            told = key(reference.get("reference", "")).partition("/")[0] or reference.get("type", "")
            target = self._find(reference, "Organization", "Practitioner", "PractitionerRole")
            kind = target.type if target is not None else told
            kind = "Organization" if kind in ("Organization", "CareTeam") else "Practitioner"
            if found[kind]:
                continue
            found[kind] = reference.pop("display", "") or (_called(target.content) if target is not None else "")
        return found["Organization"], found["Practitioner"]

    def _order(self) -> str:
        for reference in self._node.get("basedOn", []):
            target = self._find(reference, "ServiceRequest")
            if target is not None:
                node = target.content
                for one in [node.get("requisition") or {}, *node.get("identifier", [])]:
                    if one.get("value"):
                        return str(one.pop("value"))
            if number := (reference.get("identifier") or {}).pop("value", ""):
                return str(number)
        return ""

    def _logical(self, name: str) -> str:
        reference = self._node.get(name) or {}
        target = self._find(reference, "Encounter")
        for one in (target.content.get("identifier", []) if target is not None else []):
            if one.get("value"):
                return str(one.pop("value"))
        return str((reference.get("identifier") or {}).pop("value", ""))

    def _conclusion(self) -> str:
        text = self._node.pop("conclusion", "")
        if text:
            return str(text)
        return "\n".join(told for one in self._node.get("conclusionCode", []) if (told := named(one)))

    def _narrative(self) -> str:
        notes = list(rest({"div": (self._node.get("text") or {}).get("div")}, ""))
        if notes:
            self._node["text"].pop("div")
        return notes[0].text if notes else ""

    def _files(self) -> tuple[Attachment, ...]:
        found = []
        for number, one in enumerate(self._node.get("presentedForm", [])):
            found.append(self._file(one, f"{self._head.label}.presentedForm[{number}]"))
        for media in self._node.get("media", []):
            target = self._find(media.get("link") or {}, "Media")
            if target is not None:
                found.append(self._file(target.content.get("content") or {}, f"{target.label}.content"))
        return tuple(found)

    def _file(self, told: Json, where: str) -> Attachment:
        kind, title, url = (str(told.pop(name, "")) for name in ("contentType", "title", "url"))
        data = told.pop("data", "")
        if not data:
            if not url:
                raise Unreadable("empty", where, "the file has no content")
            return Attachment(kind, title, b"", url)
        if isinstance(data, bytes):
            data = data.decode("ascii")
        content = attachments.decoded(data, self._limits, where)
        digest = told.get("hash", "")
        if digest and base64.b64encode(sha1(content, usedforsecurity=False).digest()).decode() != _ascii(digest):
            raise Contradictory("attachment-hash", where, "the file is not the one that its hash is of")
        told.pop("hash", None)
        return replace(attachments.attachment(content, kind.partition(";")[0], title, where), url=url)

    def _security(self, meta: Json) -> str:
        return " ".join(str(code) for one in meta.get("security", []) if (code := one.pop("code", "")))


def _ascii(told: Any) -> str:
    return told.decode("ascii") if isinstance(told, bytes) else str(told)


def _identifier(one: Json) -> Identifier:
    """A number as it is told; what else is said of it is noted."""
    assigner = one.pop("system", "") or (one.get("assigner") or {}).get("display", "")
    kind = next((coding.get("code", "") for coding in (one.get("type") or {}).get("coding", [])), "") \
        or (one.get("type") or {}).get("text", "")
    return Identifier(str(one.pop("value")), str(assigner), str(kind))


def _name(one: Json) -> str:
    if one.get("text"):
        return str(one.pop("text"))  # its parts, where they are told too, are noted
    parts = [part for part in (one.pop("family", ""), *one.pop("given", [])) if part]
    return ("" if all(not part.isascii() for part in parts) else " ").join(parts)


def _called(node: Json) -> str:
    name = node.get("name", "")
    if isinstance(name, list):
        return _name(name[0]) if name else ""
    return str(name or (node.get("practitioner") or {}).get("display", ""))

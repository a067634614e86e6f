"""The resources of a message: checked by fhir.resources, found by their references, and what nobody took of them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from hospital.reports.model import Note, Unreadable
from msgspec import Struct

from report_readers.json_text import place
from report_readers.limits import Limits

Json = dict[str, Any]
_RESTFUL = re.compile(r"(?P<base>.*?)(?:^|/)(?P<key>[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.-]{1,64})(?:/_history/.*)?")


class Resource(Struct, eq=False):
    """A resource, of which what is used is taken out; ``label`` names it in notes and errors."""

    content: Json
    label: str
    url: str  # the entry's full one
    contained: dict[str, Resource]

    @property
    def type(self) -> str:
        """Its resourceType."""
        return str(self.content.get("resourceType", ""))


def validated(content: Json) -> None:
    """Raises Unreadable when it is neither a Bundle nor a DiagnosticReport of FHIR R4."""
    from pydantic import ValidationError

    kind = content.get("resourceType")
    try:
        if kind == "Bundle":
            from fhir.resources.R4B.bundle import Bundle
            Bundle.model_validate(content)
        elif kind == "DiagnosticReport":
            from fhir.resources.R4B.diagnosticreport import DiagnosticReport
            DiagnosticReport.model_validate(content)
        else:
            raise Unreadable("no-report", "resourceType", "it is neither a Bundle nor a DiagnosticReport")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise Unreadable("invalid-fhir", _path(str(kind), first["loc"]),
                         f"the element is not what FHIR R4 has there ({first['type']})") from None


def _path(kind: str, parts: tuple[int | str, ...]) -> str:
    return kind + place(parts)


class Resources:
    """All resources of a message. References are read as FHIR says: by full URL, by base and type, or contained."""

    def __init__(self, content: Json, limits: Limits) -> None:
        self.all: list[Resource] = []
        self.envelope: Json = {}
        self._counts: dict[str, int] = {}
        if content.get("resourceType") == "Bundle":
            self.envelope = content
            for entry in content.get("entry", []):
                if isinstance(entry.get("resource"), dict):
                    resource = entry.pop("resource")
                    self._add(resource, entry.pop("fullUrl", ""))
        else:
            self._add(content, "")
        if len(self.all) > limits.items + limits.reports:
            raise Unreadable("too-many", "Bundle.entry", f"there are more than {limits.items} resources")
        self._by_url: dict[str, Resource] = {one.url: one for one in self.all if one.url}
        self._by_key: dict[str, list[Resource]] = {}
        for one in self.all:
            if "id" in one.content:
                self._by_key.setdefault(f"{one.type}/{one.content['id']}", []).append(one)

    def _add(self, content: Json, url: str) -> None:
        kind = str(content.get("resourceType"))
        self._counts[kind] = self._counts.get(kind, 0) + 1
        # counted, as its own id may be a patient's number
        label = f"{kind}[{self._counts[kind]}]"
        contained = {str(one.get("id", "")): Resource(one, f"{label}.contained[{number}]", "", {})
                     for number, one in enumerate(content.pop("contained", []))}
        for one in contained.values():
            one.contained.update(contained)
        self.all.append(Resource(content, label, url, contained))

    def find(self, reference: str, at: Resource) -> Resource | None:
        """The resource that a reference of ``at`` means; None: it is not in the message.

        Raises Unreadable when it could be one of two.
        """
        if reference.startswith("#"):
            return at.contained.get(reference[1:])
        if reference in self._by_url:
            return self._by_url[reference]
        told = _RESTFUL.fullmatch(reference)
        if told is None:
            return None
        base = told["base"] or ((own := _RESTFUL.fullmatch(at.url)) and own["base"]) or ""
        by_base = self._by_url.get(f"{base}/{told['key']}") if base else None
        if by_base is not None:
            return by_base
        found = [one for one in self._by_key.get(told["key"], [])
                 if not (told["base"] and one.url and not one.url.startswith("urn:"))]
        if len(found) > 1:
            raise Unreadable("reference-ambiguous", at.label, "a reference could mean two resources of the message")
        return found[0] if found else None


class View:
    """The resources as one report takes them: what several reports of a message share, each has for itself."""

    def __init__(self, resources: Resources, head: Resource, *, shared: bool) -> None:
        self._resources = resources
        self._shared = shared
        self._own: dict[int, Resource] = {}
        self.head = self._mine(head)
        self.claimed: list[Resource] = [self.head]  # whatever the report refers to, of which the rest is noted
        self.seen: set[int] = {id(head)}  # the same, as they stand in the message

    def _mine(self, resource: Resource) -> Resource:
        if not self._shared:
            return resource
        at = id(resource)
        if at not in self._own:
            self._own[at] = Resource(_copied(resource.content), resource.label, resource.url, resource.contained)
        return self._own[at]

    def find(self, reference: str, at: Resource) -> Resource | None:
        """As :meth:`Resources.find`."""
        found = self._resources.find(reference, at)
        return None if found is None else self._mine(found)

    def claim(self, reference: str, at: Resource) -> None:
        """What is found by this reference belongs to the report."""
        found = self._resources.find(reference, at)
        if found is not None and id(found) not in self.seen:
            self.seen.add(id(found))
            self.claimed.append(self._mine(found))

    def same(self, one: str, at: Resource, other: str, there: Resource) -> bool:
        """Whether two references mean the same."""
        first, second = self._resources.find(one, at), self._resources.find(other, there)
        if first is not None or second is not None:
            return first is second
        return key(one) == key(other)


def _copied(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _copied(child) for name, child in node.items()}
    return [_copied(child) for child in node] if isinstance(node, list) else node



def key(reference: str) -> str:
    """Type and id of a reference, without its base and version."""
    told = _RESTFUL.fullmatch(reference)
    return told["key"] if told else reference


def rest(node: Any, where: str) -> Iterator[Note]:
    """Every text that nobody took, in order."""
    if isinstance(node, dict):
        for name, child in node.items():
            if name == "div" and isinstance(child, str):
                if text := narrative(child):
                    yield Note(f"{where}.div", text)
            elif name != "resourceType":
                yield from rest(child, f"{where}.{name}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from rest(child, f"{where}[{number}]")
    elif node is not None:
        yield Note(where, ("true" if node else "false") if isinstance(node, bool) else str(node))


_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)([^<>]*)>")
_SAID = re.compile(r"""\b(?:alt|title)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_LINES = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "pre"})


def narrative(div: str) -> str:
    """What people read of a narrative: its words, a line for a paragraph."""
    lines = (" ".join(line.split()) for line in html.unescape(_TAG.sub(_words, div)).split("\n"))
    return "\n".join(line for line in lines if line)


def _words(tag: re.Match[str]) -> str:
    said = "".join(f" {double or single} " for double, single in _SAID.findall(tag[3]))
    return ("\n" if tag[2].lower() in _LINES else " " if tag[2].lower() in ("td", "th") else "") + said

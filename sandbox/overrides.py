"""Changing parts of a JSON document: what a real neighbour answers that nobody has written down.

A path names fields from the outside in, joined by dots: ``amount.total``. In a list a step is a place (``0``,
``-1``), all elements (``*``), or those with a field of that value (``code=S-1``). The empty path is the whole.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

NAMES = ("set", "remove", "add", "headers")
_Place = tuple[Any, Any]  # a dict or list, and the key or index in it


def check(params: dict[str, Any]) -> None:
    """Raise ValueError unless these can be applied."""
    unknown = params.keys() - set(NAMES)
    if unknown:
        raise ValueError(f"override has no {', '.join(sorted(unknown))}; it has {', '.join(NAMES)}")
    for name in ("set", "add", "headers"):
        if not isinstance(params.get(name, {}), dict):
            raise ValueError(f"override: {name} is an object of path and value")
    remove = params.get("remove", [])
    if not isinstance(remove, list) or not all(isinstance(path, str) and path for path in remove):
        raise ValueError("override: remove is a list of paths")
    if not any(params.values()):
        raise ValueError("override: nothing to change")


def applied(document: Any, params: dict[str, Any]) -> tuple[Any, bool]:
    """The document with ``params`` applied, and whether anything in it was met; the given one stays as it is.

    ``set`` gives a field another value or makes it, ``remove`` takes fields and elements out, ``add`` appends to
    lists. What is not there is passed over.
    """
    whole, met = [copy.deepcopy(document)], False
    for path in params.get("remove", []):
        places = list(_places(whole, path, make=False))
        for holder, key in reversed(places):  # from the back: earlier places keep their numbers
            del holder[key]
        met = met or bool(places)
    for path, value in params.get("set", {}).items():
        for holder, key in list(_places(whole, path, make=True)):
            holder[key] = copy.deepcopy(value)
            met = True
    for path, value in params.get("add", {}).items():
        for holder, key in list(_places(whole, path, make=False)):
            if isinstance(holder[key], list):
                holder[key].append(copy.deepcopy(value))
                met = True
    return whole[0], met


def _places(whole: list[Any], path: str, *, make: bool) -> Iterator[_Place]:
    """Where in ``whole[0]`` the path leads; with ``make`` also to fields that could be there."""
    found: list[_Place] = [(whole, 0)]
    steps = path.split(".") if path else []
    for at, step in enumerate(steps, start=1):
        found = [place for holder, key in found
                 for place in _inside(holder[key], step, make=make and at == len(steps))]
    yield from found


def _inside(value: Any, step: str, *, make: bool) -> list[_Place]:
    if isinstance(value, dict):
        return [(value, step)] if make or step in value else []
    if not isinstance(value, list):
        return []
    if step == "*":
        return [(value, index) for index in range(len(value))]
    name, equals, wanted = step.partition("=")
    if equals:
        return [(value, index) for index, one in enumerate(value)
                if isinstance(one, dict) and name in one and _text(one[name]) == wanted]
    if not step.lstrip("-").isdecimal() or not -len(value) <= int(step) < len(value):
        return []
    return [(value, int(step) % len(value))]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

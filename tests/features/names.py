"""Names that nobody else has. Here, since pytest and the tests import their conftest apart, each one of its own."""

from __future__ import annotations

import itertools

_given = itertools.product("舟砚岑湄筠棠榆沅珩翎", repeat=4)


def unheard_name(surname: str = "欧阳") -> str:
    """A doctor's name that nobody else in the hospital has, whatever the surname."""
    return surname + "".join(next(_given))

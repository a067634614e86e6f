"""The people whom the sandbox invents: each is another one, with a document that can be read."""

from __future__ import annotations

from datetime import date

import pytest
from hospital.patients import rules

from sandbox.people import id_number, person, serial
from tests.features.names import unheard_name

TODAY = date(2026, 11, 23)


def test_nobody_is_invented_twice() -> None:
    made = [person(age=age) for age in (36, 36, 60, 36) for _ in range(2000)]
    assert len({one["id_number"] for one in made}) == len(made)
    assert len({one["name"] for one in made}) > 500
    assert serial() != serial()


@pytest.mark.parametrize("age", [1, 36, 70])
def test_an_invented_persons_document_has_the_age_and_either_sex(age: int) -> None:
    read = [rules.read_id_card(person(age=age)["id_number"], TODAY) for _ in range(50)]
    assert {rules.age(one[0], TODAY) for one in read if one} == {age}
    assert {one[1] for one in read if one} == {"FEMALE", "MALE"}


def test_a_day_on_which_nobody_more_can_be_born_says_so() -> None:
    born = date(1931, 3, 3)
    assert len({id_number(born, True) for _ in range(500)} | {id_number(born, False) for _ in range(500)}) == 1000
    with pytest.raises(ValueError, match="1931-03-03"):
        id_number(born, True)


def test_no_two_doctors_get_the_same_unheard_name() -> None:
    names = [unheard_name(surname) for surname in ("欧阳", "亓官") for _ in range(300)]
    assert len({one[2:] for one in names}) == len(names)

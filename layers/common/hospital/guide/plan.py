"""The hospital's places as data: buildings with floors, rooms and windows with hours, and how examinations go together.

An operator loads the whole of it (``places.load``); it is checked as a whole, so that no place stands nowhere.
"""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hospital.runtime.canonical import Text

Code = Annotated[str, Field(pattern=r"^[0-9A-Za-z_.-]{1,40}$")]
Name = Annotated[Text, Field(min_length=1, max_length=40)]
Minutes = Annotated[int, Field(ge=0, le=600)]
MOST = 2000  # places, rules or walks of one hospital


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, defer_build=True)


class Floor(_Part):
    """A floor: ``level`` 1 is the ground, -1 the first below it."""

    level: Annotated[int, Field(ge=-9, le=99)]
    name: Name


class Building(_Part):
    """A building with its floors."""

    code: Code
    name: Name
    floors: Annotated[list[Floor], Field(min_length=1, max_length=60)]


class Hours(_Part):
    """When a place is open, in hospital time; ``days`` are ISO weekdays (1 is Monday)."""

    days: Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(min_length=1, max_length=7)] = [1, 2, 3, 4, 5, 6, 7]
    opens: time
    closes: time

    @model_validator(mode="after")
    def _opens_first(self) -> Hours:
        if self.closes <= self.opens:
            raise ValueError("closes must be after opens")
        return self


class Place(_Part):
    """A room, desk or window. ``his`` are the names and codes by which the HIS speaks of it.

    ``way``: how to find it from the lift or entrance. ``bring``: what is asked for there. No ``hours``: not known.
    """

    code: Code
    name: Name
    building: Code
    level: int
    room: Annotated[Text, Field(max_length=40)] = ""
    way: Annotated[Text, Field(max_length=120)] = ""
    his: Annotated[list[Annotated[Text, Field(min_length=1, max_length=80)]], Field(max_length=20)] = []
    bring: Annotated[list[Annotated[Text, Field(min_length=1, max_length=40)]], Field(max_length=8)] = []
    hours: Annotated[list[Hours], Field(max_length=14)] = []
    kind: Literal["CLINIC", "PHARMACY", "LABORATORY", "EXAMINATION", "TREATMENT", "DESK"] = "EXAMINATION"


class Walk(_Part):
    """How long one walks between two buildings, both ways."""

    between: Annotated[tuple[Code, Code], Field()]
    minutes: Minutes


class Preparation(_Part):
    """What belongs to an examination, by the HIS's item codes or by a part of its name.

    ``fasting``: with an empty stomach. ``full_bladder``: ready ``drink_minutes`` after beginning to drink.
    ``after``: names of rules whose examinations must be done before it. ``minutes``: how long one takes.
    """

    name: Name
    codes: Annotated[list[Code], Field(max_length=200)] = []
    named: Annotated[list[Annotated[Text, Field(min_length=1, max_length=40)]], Field(max_length=40)] = []
    fasting: bool = False
    full_bladder: bool = False
    drink_minutes: Minutes = 60
    after: Annotated[list[Name], Field(max_length=20)] = []
    minutes: Minutes = 10
    advice: Annotated[Text, Field(max_length=120)] = ""

    @model_validator(mode="after")
    def _meets_something(self) -> Preparation:
        if not self.codes and not self.named:
            raise ValueError("codes or named must say what it is about")
        return self


class Plan(_Part):
    """All of it. ``stairs_minutes`` is per floor, ``doors_minutes`` between two rooms of one floor."""

    buildings: Annotated[list[Building], Field(min_length=1, max_length=100)]
    places: Annotated[list[Place], Field(max_length=MOST)] = []
    walks: Annotated[list[Walk], Field(max_length=MOST)] = []
    preparations: Annotated[list[Preparation], Field(max_length=MOST)] = []
    stairs_minutes: Annotated[float, Field(ge=0, le=30)] = 1
    doors_minutes: Annotated[float, Field(ge=0, le=30)] = 1
    buildings_minutes: Annotated[float, Field(ge=0, le=120)] = 8  # where no walk says otherwise
    entrance: Code = ""  # the place where one arrives; empty: the first building's lowest floor above ground
    arrive_bring: Annotated[list[Annotated[Text, Field(min_length=1, max_length=40)]], Field(max_length=8)] = []

    @field_validator("preparations")
    @classmethod
    def _without_circles(cls, rules: list[Preparation]) -> list[Preparation]:
        left = {one.name: set(one.after) for one in rules}
        if unknown := {name for after in left.values() for name in after} - set(left):
            raise ValueError(f"after names no rule: {', '.join(sorted(unknown))}")
        while ready := [name for name, after in left.items() if not after & set(left)]:
            for name in ready:
                del left[name]
        if left:
            raise ValueError(f"each waits for another: {', '.join(sorted(left))}")
        return rules

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Plan:
        floors = {(one.code, floor.level) for one in self.buildings for floor in one.floors}
        known = {one.code for one in self.buildings}
        wrong = [one.code for one in self.places if (one.building, one.level) not in floors]
        wrong += [code for walk in self.walks for code in walk.between if code not in known]
        codes = [one.code for one in self.places]
        wrong += [code for code in set(codes) if codes.count(code) > 1]
        wrong += [self.entrance] if self.entrance and self.entrance not in codes else []
        if wrong:
            raise ValueError(f"stands nowhere, or twice: {', '.join(sorted(set(wrong))[:20])}")
        return self

    def building(self, code: str) -> Building:
        """A building of the plan."""
        return next(one for one in self.buildings if one.code == code)

    def where(self, place: Place) -> str:
        """A place in words: 门诊楼3层B区."""
        building = self.building(place.building)
        floor = next(one.name for one in building.floors if one.level == place.level)
        return f"{building.name}{floor}{place.room}"

    def of_his(self, *names: str) -> Place | None:
        """The place by the first of the HIS's names that is known; a code before a name, a name before a text."""
        for name in names:
            found = next((one for one in self.places if name and name in (*one.his, one.code, one.name)), None)
            if found is not None:
                return found
        return None

    def in_text(self, text: str) -> Place | None:
        """The place whose whereabouts a text of the HIS begins with (门诊楼3层A区 301诊室), the longest first."""
        plain = text.replace(" ", "")
        found = [one for one in self.places if plain.startswith(self.where(one).replace(" ", ""))]
        return max(found, key=lambda one: len(self.where(one)), default=None)

    def minutes_between(self, one: Place, other: Place) -> float:
        """How long one walks from a place to another."""
        if one.code == other.code:
            return 0.0
        if one.building == other.building:
            return self.doors_minutes + abs(one.level - other.level) * self.stairs_minutes
        across = next((walk.minutes for walk in self.walks if set(walk.between) == {one.building, other.building}),
                      self.buildings_minutes)
        return across + (abs(one.level - 1) + abs(other.level - 1)) * self.stairs_minutes

    def preparation(self, code: str, name: str) -> Preparation | None:
        """What belongs to an examination: by its code, else by its name (the longest part that fits)."""
        by_code = next((one for one in self.preparations if code and code in one.codes), None)
        if by_code is not None:
            return by_code
        fits = [(len(part), -at, one) for at, one in enumerate(self.preparations) for part in one.named if part in name]
        return max(fits, key=lambda fit: fit[:2])[2] if fits else None

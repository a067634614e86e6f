"""Use cases of the directory: taking it over from the HIS, arranging departments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from hospital.database import policy, tasks
from hospital.database.connection import Database, Duplicate, Row, Transaction, Unfit
from hospital.database.odd_rows import OddRows
from hospital.gateways.his import directory as his_directory
from hospital.gateways.his.wire import Odd
from hospital.runtime.errors import Invalid, RetryWhole
from hospital.site import rules, store
from hospital.site.model import Department

ListedT = TypeVar("ListedT", his_directory.Department, his_directory.Doctor)


def sync_directory(db: Database, now: datetime) -> int:
    """Take departments and doctors over from the HIS. Returns how many doctors changed.

    The hospital's tree is its own: only while it has none, the HIS's grouping stands in. A row that can't be taken
    is a task and stays as it was; a list that has shrunk more than is believed is looked at twice, an empty one is
    never believed. Raises Unanswered, Rejected.
    """
    percent = policy.load(db).believed_drop_percent
    _sync_departments(db, percent, now)
    odd = OddRows("doctor")
    doctors, seen, nameless = _readable(his_directory.doctors(), odd)
    known, sits = store.doctor_ids(db), store.departments_of_doctors(db)
    changed = 0
    for doctor in doctors:
        row = known.get(doctor.code)
        if (row is not None and _same(row, doctor) and row["missing_since"] is None
                and sits.get(row["id"], set()) == set(doctor.department_codes)):
            continue
        try:
            with db.transaction() as tx:
                store.save_doctor(tx, doctor, row["id"] if row else None, rules.spellings(doctor.name),
                                  rules.EDITION)
            changed += 1
        except Duplicate as refusal:
            odd.add(doctor.code, f"stands there already ({refusal.key})")
        except Unfit as refusal:
            odd.add(doctor.code, refusal.reason)
        except RetryWhole:  # another reading is at it: next time
            odd.put_off()
    odd.report(db, now)
    if nameless:  # anybody may be the one that can't be read
        return changed
    return changed + _dismiss(db, {code: row for code, row in known.items() if row["employed"]}, seen, percent, now)


def _readable(given: Iterable[ListedT | Odd], odd: OddRows) -> tuple[list[ListedT], set[str], bool]:
    """The rows that can be read, each code once; every code that is listed; whether there are rows without one."""
    rows: dict[str, ListedT] = {}
    seen, nameless = set(), False
    for one in given:
        if isinstance(one, Odd):
            odd.add(one.number, one.detail)
            seen.add(one.number)
            nameless |= not one.is_named
        elif one.code in rows:
            odd.add(one.code, "listed twice")
        else:
            rows[one.code] = one
    return list(rows.values()), seen | rows.keys(), nameless


def _sync_departments(db: Database, percent: int, now: datetime) -> None:
    odd = OddRows("department")
    departments, seen, nameless = _readable(his_directory.departments(), odd)
    known, refused = store.known_his_departments(db), set()
    for department in departments:
        if known.get(department.code) != {**department.model_dump(), "missing_since": None, "gone_since": None}:
            try:
                with db.transaction() as tx:
                    store.save_his_department(tx, department)
            except Unfit as refusal:
                odd.add(department.code, refusal.reason)
                refused.add(department.code)
            except RetryWhole:  # another reading is at it: next time
                odd.put_off()
                refused.add(department.code)
    odd.report(db, now)
    with db.transaction() as tx:
        if not store.tree(tx):
            store.replace_tree(tx, _grouping([one for one in departments if one.code not in refused]))
    if nameless:  # any may be the one that can't be read
        return
    there = {code: row for code, row in known.items() if row["gone_since"] is None}
    missing = {code: row["missing_since"] for code, row in there.items() if code not in seen}
    drop = rules.drop(missing, known=len(there), listed=len(seen), percent=percent, now=now)
    with db.transaction() as tx:
        store.mark_departments_gone(tx, drop.gone, now)
        store.mark_departments_missing(tx, drop.fresh, now)
        _say_drop(tx, "departments", drop, len(there), now)


def _dismiss(db: Database, employed: dict[str, Row], seen: set[str], percent: int, now: datetime) -> int:
    """Doctors that the HIS lists no more work here no more; so many at once only when it says so twice."""
    missing = {code: row["missing_since"] for code, row in employed.items() if code not in seen}
    drop = rules.drop(missing, known=len(employed), listed=len(seen), percent=percent, now=now)
    with db.transaction() as tx:
        for code in drop.gone:
            store.dismiss(tx, employed[code]["id"])
        store.mark_missing(tx, [employed[code]["id"] for code in drop.fresh], now)
        _say_drop(tx, "doctors", drop, len(employed), now)
    return len(drop.gone)


def _say_drop(tx: Transaction, what: str, drop: rules.Drop, known: int, now: datetime) -> None:
    if drop.waiting:
        tasks.add(tx, kind="list.shrunken", subject_id=what, now=now, detail=(
            f"{len(drop.waiting)} of {known} {what} are listed no more; nothing is changed before a second look"))
    else:
        tasks.settle(tx, kind="list.shrunken", subject_id=what, note="whole again, or believed", now=now)
    if drop.doubted and drop.gone:
        tasks.add(tx, kind="list.shrunken-believed", subject_id=what, now=now,
                  detail=f"{len(drop.gone)} of {known} {what} were missing in two looks and count as gone now")


def arrange(tx: Transaction, roots: list[Department]) -> int:
    """Replace the hospital's two-level tree. Returns the number of second-level departments.

    Raises Invalid when a name is empty or doubled among siblings, a first-level department is fed by the
    HIS, or a HIS code is unknown.
    """
    ids = [one.id for root in roots for one in (root, *root.children) if one.id]
    if len(set(ids)) < len(ids):
        raise Invalid("科室编号重复。", fields=["id"])
    known = store.known_his_codes(tx)
    _check_names(roots)
    for root in roots:
        if root.his_codes:
            raise Invalid("一级科室不能直接对应医院系统科室。", fields=["his_codes"])
        _check_names(root.children)
        for child in root.children:
            if child.children:
                raise Invalid("科室最多两级。", fields=["children"])
            codes = set(child.his_codes)
            if not codes or codes - known or len(codes) < len(child.his_codes):
                raise Invalid("二级科室须对应医院系统中已有的科室，且不能重复。", fields=["his_codes"])
    store.replace_tree(tx, roots)
    return sum(len(root.children) for root in roots)


def _check_names(siblings: list[Department]) -> None:
    names = [one.name.strip() for one in siblings]
    if "" in names or len(set(names)) < len(names):
        raise Invalid("科室名称不能为空或重复。", fields=["name"])


def _grouping(departments: list[his_directory.Department]) -> list[Department]:
    roots: dict[str, Department] = {}
    for one in departments:
        root = roots.setdefault(one.parent_code, Department("", one.parent_name, "", ""))
        root.children.append(Department("", one.name, one.introduction, one.location, [one.code]))
    return list(roots.values())


def _same(row: dict[str, object], doctor: his_directory.Doctor) -> bool:
    return all(row[name] == getattr(doctor, name) for name in ("name", "sex", "title", "introduction", "expertise")
               ) and bool(row["employed"]) == doctor.employed and row["spelled_by"] == rules.EDITION

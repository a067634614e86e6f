"""Use cases of the directory: taking it over from the HIS, arranging departments."""

from __future__ import annotations

from datetime import datetime

from hospital.database import policy, tasks
from hospital.database.connection import Database, Duplicate, Row, Transaction, Unfit
from hospital.database.odd_rows import OddRows
from hospital.gateways.his import directory as his_directory
from hospital.gateways.his.wire import Odd
from hospital.runtime.errors import Invalid
from hospital.site import rules, store
from hospital.site.model import Department


def sync_directory(db: Database, now: datetime) -> int:
    """Take departments and doctors over from the HIS. Returns how many doctors changed.

    The hospital's tree is its own: only while it has none, the HIS's grouping stands in. A row that can't be taken
    is a task and stays as it was; a list that has shrunk more than is believed is looked at twice. Raises Unanswered.
    """
    percent = policy.load(db).believed_drop_percent
    _sync_departments(db, percent, now)
    odd, given = OddRows("doctor"), his_directory.doctors()
    unread = [one for one in given if isinstance(one, Odd)]
    doctors = [one for one in given if not isinstance(one, Odd)]
    for one in unread:
        odd.add(one.number, one.detail)
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
    odd.report(db, now)
    if any(not one.is_named for one in unread):  # anybody may be the one that can't be read
        return changed
    seen = {one.code for one in doctors} | {one.number for one in unread}
    return changed + _dismiss(db, {code: row for code, row in known.items() if row["employed"]}, seen, percent, now)


def _sync_departments(db: Database, percent: int, now: datetime) -> None:
    odd, given = OddRows("department"), his_directory.departments()
    unread = [one for one in given if isinstance(one, Odd)]
    departments = [one for one in given if not isinstance(one, Odd)]
    for one in unread:
        odd.add(one.number, one.detail)
    known = store.known_his_departments(db)
    for department in departments:
        if known.get(department.code) != department.model_dump():
            try:
                with db.transaction() as tx:
                    store.save_his_department(tx, department)
            except Unfit as refusal:
                odd.add(department.code, refusal.reason)
    odd.report(db, now)
    with db.transaction() as tx:
        missing = known.keys() - {one.code for one in departments} - {one.number for one in unread}
        _say_shrunken(tx, "departments", len(missing), len(known), percent, now)
        if not store.tree(tx):
            store.replace_tree(tx, _grouping(departments))


def _dismiss(db: Database, employed: dict[str, Row], seen: set[str], percent: int, now: datetime) -> int:
    """Doctors that the HIS lists no more work here no more; so many at once only when it says so twice."""
    missing = [row for code, row in employed.items() if code not in seen]
    doubted = rules.is_doubted(len(missing), len(employed), percent)
    gone = [row for row in missing if not doubted or rules.is_second_look(row["missing_since"], now)]
    fresh = [row["id"] for row in missing if row not in gone and row["missing_since"] is None]
    with db.transaction() as tx:
        for row in gone:
            store.dismiss(tx, row["id"])
        if fresh:
            store.mark_missing(tx, fresh, now)
        if fresh or not doubted:
            _say_shrunken(tx, "doctors", len(missing), len(employed), percent, now)
    return len(gone)


def _say_shrunken(tx: Transaction, what: str, missing: int, of: int, percent: int, now: datetime) -> None:
    if rules.is_doubted(missing, of, percent):
        tasks.add(tx, kind="list.shrunken", subject_id=what, now=now,
                  detail=f"{missing} of {of} {what} are listed no more; nothing is changed before a second look")
    else:
        tasks.settle(tx, kind="list.shrunken", subject_id=what, note="whole again, or believed", now=now)


def arrange(db: Database, roots: list[Department]) -> int:
    """Replace the hospital's two-level tree. Returns the number of second-level departments.

    Raises Invalid when a name is empty or doubled among siblings, a first-level department is fed by the
    HIS, or a HIS code is unknown.
    """
    ids = [one.id for root in roots for one in (root, *root.children) if one.id]
    if len(set(ids)) < len(ids):
        raise Invalid("科室编号重复。", fields=["id"])
    with db.transaction() as tx:
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

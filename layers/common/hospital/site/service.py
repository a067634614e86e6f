"""Use cases of the directory: taking it over from the HIS, arranging departments."""

from __future__ import annotations

from hospital.database.connection import Database
from hospital.gateways.his import directory as his_directory
from hospital.runtime.errors import Invalid
from hospital.site import rules, store
from hospital.site.model import Department


def sync_directory(db: Database) -> int:
    """Take departments and doctors over from the HIS. Returns how many doctors changed.

    The hospital's tree is its own: only while it has none, the HIS's grouping stands in.
    Raises Unanswered.
    """
    departments, doctors = his_directory.departments(), his_directory.doctors()
    with db.transaction() as tx:
        for department in departments:
            store.save_his_department(tx, department)
        if not store.tree(tx):
            store.replace_tree(tx, _grouping(departments))
    known, sits = store.doctor_ids(db), store.departments_of_doctors(db)
    changed = 0
    for doctor in doctors:
        row = known.pop(doctor.code, None)
        if row is not None and _same(row, doctor) and sits.get(row["id"], set()) == set(doctor.department_codes):
            continue
        with db.transaction() as tx:
            store.save_doctor(tx, doctor, row["id"] if row else None, rules.spellings(doctor.name),
                              rules.EDITION)
        changed += 1
    for row in known.values():
        if row["employed"]:
            with db.transaction() as tx:
                store.dismiss(tx, row["id"])
            changed += 1
    return changed


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

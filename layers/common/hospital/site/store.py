"""SQL of departments and doctors."""

from __future__ import annotations

from datetime import datetime

from hospital.database.connection import Database, Row, Transaction
from hospital.gateways.his import directory as his_directory
from hospital.runtime import canonical
from hospital.runtime.ids import new_id
from hospital.site.model import Department, Doctor

Source = Database | Transaction


# -- departments ------------------------------------------------------------------------------------
def tree(source: Source) -> list[Department]:
    """The hospital's own departments: first level with their children, in its order."""
    sources: dict[str, list[str]] = {}
    for row in source.all("SELECT department_id, his_code FROM department_sources ORDER BY his_code"):
        sources.setdefault(row["department_id"], []).append(row["his_code"])
    roots: dict[str, Department] = {}
    for row in source.all("SELECT id, parent_id, name, introduction, location FROM departments "
                          "ORDER BY parent_id IS NOT NULL, position"):
        one = Department(row["id"], row["name"], row["introduction"], row["location"],
                         sources.get(row["id"], []))
        if row["parent_id"] is None:
            roots[one.id] = one
        else:
            roots[row["parent_id"]].children.append(one)
    return list(roots.values())


def his_codes(source: Source, department_id: str) -> list[str]:
    """The HIS departments that feed a second-level department; empty when it is unknown."""
    return [row["his_code"] for row in source.all(
        "SELECT his_code FROM department_sources WHERE department_id = %s", (department_id,))]


def names_of_his(source: Source) -> dict[str, tuple[str, str]]:
    """For each HIS department the id and name it has in the hospital's tree (its own name where it has none)."""
    names = {row["code"]: ("", row["name"]) for row in source.all("SELECT code, name FROM his_departments")}
    for row in source.all("SELECT s.his_code, d.id, d.name FROM department_sources s "
                          "JOIN departments d ON d.id = s.department_id ORDER BY d.position DESC"):
        names[row["his_code"]] = (row["id"], row["name"])
    return names


def his_department(source: Source, code: str) -> tuple[str, str]:
    """Name and whereabouts of a department as the HIS has them; empty when it is unknown."""
    row = source.one("SELECT name, location FROM his_departments WHERE code = %s", (code,))
    return (row["name"], row["location"]) if row else ("", "")


def known_his_codes(source: Source) -> set[str]:
    """Every department code the HIS has told us of."""
    return {row["code"] for row in source.all("SELECT code FROM his_departments")}


def known_his_departments(source: Source) -> dict[str, Row]:
    """Every department the HIS has told us of, as it told it, by code; and since when it is missing, or gone."""
    return {row["code"]: row for row in source.all(
        "SELECT code, name, parent_code, parent_name, specialty_code, introduction, location, missing_since, "
        "gone_since FROM his_departments")}


def replace_tree(tx: Transaction, roots: list[Department]) -> None:
    """Make ``roots`` the whole tree; ids given are kept, empty ones are made."""
    tx.all("SELECT id FROM departments FOR UPDATE")
    tx.run("DELETE FROM departments WHERE parent_id IS NOT NULL")
    tx.run("DELETE FROM departments")
    for position, root in enumerate(roots):
        _insert(tx, root, None, position)
        for place, child in enumerate(root.children):
            _insert(tx, child, root.id, place)


def _insert(tx: Transaction, one: Department, parent_id: str | None, position: int) -> None:
    one.id = one.id or new_id()
    tx.insert("departments", id=one.id, parent_id=parent_id, name=one.name, introduction=one.introduction,
              location=one.location, position=position)
    for code in one.his_codes:
        tx.insert("department_sources", department_id=one.id, his_code=code)


def save_his_department(tx: Transaction, one: his_directory.Department) -> None:
    """What the HIS says of a department; it is there."""
    tx.run("REPLACE INTO his_departments (code, name, parent_code, parent_name, specialty_code, introduction, "
           "location) VALUES (%s, %s, %s, %s, %s, %s, %s)",
           (one.code, one.name, one.parent_code, one.parent_name, one.specialty_code, one.introduction, one.location))


def mark_departments_missing(tx: Transaction, codes: list[str], now: datetime) -> None:
    """The HIS lists these no more, since now, and that is doubted."""
    for code in codes:
        tx.run("UPDATE his_departments SET missing_since = %s WHERE code = %s", (now, code))


def mark_departments_gone(tx: Transaction, codes: list[str], now: datetime) -> None:
    """The HIS has these no more; what is shown by their names stays."""
    for code in codes:
        tx.run("UPDATE his_departments SET gone_since = %s WHERE code = %s", (now, code))


# -- doctors ----------------------------------------------------------------------------------------
_ANY_DOCTOR = "SELECT d.id, d.name, d.title, d.sex, d.introduction, d.expertise FROM doctors d WHERE "
_DOCTOR = _ANY_DOCTOR + "d.employed = 1 AND "


def doctor(source: Source, doctor_id: str) -> Doctor | None:
    """One doctor."""
    return next(iter(_doctors(source, source.all(_DOCTOR + "d.id = %s", (doctor_id,)))), None)


def doctors(source: Source, ids: list[str], *, employed_only: bool = True) -> list[Doctor]:
    """Some doctors, in the order of ``ids``."""
    if not ids:
        return []
    marks = ", ".join(["%s"] * len(ids))
    found = {one.id: one for one in _doctors(source, source.all(
        f"{_DOCTOR if employed_only else _ANY_DOCTOR}d.id IN ({marks})", ids))}
    return [found[one] for one in ids if one in found]


def search(source: Source, *, characters: str, spelling: str, limit: int = 30) -> list[Doctor]:
    """Doctors whose name has these characters, dots left out, or a spelling that starts like this."""
    if spelling:
        rows = source.all(_DOCTOR + "d.id IN (SELECT s.doctor_id FROM doctor_spellings s "
                          "WHERE s.spelling LIKE %s) ORDER BY d.name, d.id LIMIT %s",
                          (_escape(spelling) + "%", limit))
    else:
        wanted = canonical.name(characters).replace(canonical.DOT, "")
        if not wanted:  # nothing but dots, or what nobody sees: that is no name, not every name
            return []
        rows = source.all(_DOCTOR + "REPLACE(d.name, %s, '') LIKE %s ORDER BY d.name, d.id LIMIT %s",
                          (canonical.DOT, "%" + _escape(wanted) + "%", limit))
    return _doctors(source, rows)


def doctor_ids(source: Source) -> dict[str, Row]:
    """Every doctor by HIS code, as stored."""
    return {row["his_code"]: row for row in source.all(
        "SELECT id, his_code, name, sex, title, introduction, expertise, employed, spelled_by, missing_since "
        "FROM doctors")}


def ids_by_code(source: Source) -> dict[str, str]:
    """The id of every doctor by HIS code."""
    return dict(source.tuples("SELECT his_code, id FROM doctors"))


def save_doctor(tx: Transaction, one: his_directory.Doctor, doctor_id: str | None, spelled: set[str],
                spelled_by: int) -> str:
    """What the HIS says of a doctor, and how an edition of our rules spells them; the id."""
    values = (one.name, one.sex, one.title, one.introduction, one.expertise, one.employed, spelled_by)
    if doctor_id is None:
        doctor_id = new_id()
        tx.run("INSERT INTO doctors (id, his_code, name, sex, title, introduction, expertise, employed, "
               "spelled_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)", (doctor_id, one.code, *values))
    else:
        tx.run("UPDATE doctors SET name = %s, sex = %s, title = %s, introduction = %s, expertise = %s, "
               "employed = %s, spelled_by = %s, missing_since = NULL WHERE id = %s", (*values, doctor_id))
    tx.run("DELETE FROM doctor_departments WHERE doctor_id = %s", (doctor_id,))
    for code in dict.fromkeys(one.department_codes):
        tx.insert("doctor_departments", doctor_id=doctor_id, his_department=code)
    tx.run("DELETE FROM doctor_spellings WHERE doctor_id = %s", (doctor_id,))
    for spelling in sorted(spelled):
        tx.insert("doctor_spellings", spelling=spelling, doctor_id=doctor_id)
    return doctor_id


def dismiss(tx: Transaction, doctor_id: str) -> None:
    """A doctor that the HIS no longer lists: found no more, kept for old registrations."""
    tx.run("UPDATE doctors SET employed = 0, missing_since = NULL WHERE id = %s", (doctor_id,))


def mark_missing(tx: Transaction, doctor_ids: list[str], now: datetime) -> None:
    """The HIS lists these no more, since now."""
    if doctor_ids:
        tx.run(f"UPDATE doctors SET missing_since = %s WHERE id IN ({', '.join(['%s'] * len(doctor_ids))})",
               (now, *doctor_ids))


def departments_of_doctors(source: Source) -> dict[str, set[str]]:
    """The HIS departments of every doctor, by doctor id."""
    found: dict[str, set[str]] = {}
    for row in source.all("SELECT doctor_id, his_department FROM doctor_departments"):
        found.setdefault(row["doctor_id"], set()).add(row["his_department"])
    return found


def _doctors(source: Source, rows: list[Row]) -> list[Doctor]:
    if not rows:
        return []
    marks = ", ".join(["%s"] * len(rows))
    sits: dict[str, list[str]] = {}
    for row in source.all(f"SELECT doctor_id, his_department FROM doctor_departments WHERE doctor_id IN ({marks}) "
                          "ORDER BY his_department", [row["id"] for row in rows]):
        sits.setdefault(row["doctor_id"], []).append(row["his_department"])
    return [Doctor(his_departments=tuple(sits.get(row["id"], [])), **row) for row in rows]


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

"""Registrations that were doubled before the database forbade it do not stop its new key."""

from __future__ import annotations

import pymysql
import pytest
from hospital.database.connection import _key_name

from scripts import local_db, migrate

FILE = "0008_moves.sql"


def test_the_key_of_one_registration_a_patient_and_session_comes_over_those_that_were_doubled(
        mysql: str, database_name: str) -> None:
    host, _, port = mysql.partition(":")
    name = f"{database_name}_doubled"
    local_db.fresh_database(host, int(port), name)
    try:
        with local_db.connect(host, int(port), name) as connection, connection.cursor() as cursor:
            for file in sorted(migrate.MIGRATIONS.glob("*.sql")):
                if file.name == FILE:
                    break
                for statement in migrate.statements(file.read_text()):
                    cursor.execute(statement)
            cursor.execute("INSERT INTO doctors (id, his_code, name, sex, title, introduction, expertise, employed) "
                           "VALUES ('A', 'A', '甲', '', '', '', '', 1)")
            cursor.execute("INSERT INTO schedules (id, his_code, his_department, doctor_id, visit_date, period, kind, "
                           "fee_fen, starts_at, ends_at, clinic_room, state) VALUES ('S', 'S', '1', 'A', '2026-11-25', "
                           "'MORNING', 'EXPERT', 1, '2026-11-25', '2026-11-26', '5', 'OPEN')")
            book = ("INSERT INTO bookings (id, account_id, patient_id, schedule_id, slot_id, doctor_id, visit_date, "
                    "period, starts_at, fee_fen, payment_policy, state, trade_no, expires_at, created_at, changed_at) "
                    "VALUES (%s, 'A', 'P', 'S', 'X', %s, '2026-11-25', 'MORNING', '2026-11-25', 1, 'AT_BOOKING', %s, "
                    "%s, '2026-11-25', '2026-11-25', '2026-11-25')")
            for number, (doctor, state) in enumerate([("A", "CONFIRMED"), ("B", "CONFIRMED"), ("C", "CANCELLED")]):
                cursor.execute(book, (f"B{number}", doctor, state, f"T{number}"))
            for statement in migrate.statements((migrate.MIGRATIONS / FILE).read_text()):
                cursor.execute(statement)
            cursor.execute("SELECT id, beside, clinic_room FROM bookings ORDER BY id")
            assert cursor.fetchall() == (("B0", "", "5"), ("B1", "B1", "5"), ("B2", "", None))
            with pytest.raises(pymysql.err.IntegrityError) as refused:
                cursor.execute(book, ("B3", "D", "HELD", "T3"))
            assert _key_name(str(refused.value.args[1])) == "bookings_session"
    finally:
        with local_db.connect(host, int(port)) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE `{name}`")

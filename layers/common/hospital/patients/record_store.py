"""The rows of one record: a person may have one for each of their documents, and one file in the HIS for all of them.

Who holds a record, how many may, who is told, and what is counted for a patient goes by the record, whichever document
somebody has bound it by. What an account itself may do goes by the row that it has bound: for that it has consented.
"""

from __future__ import annotations

from hospital.database.connection import Database, Transaction

Source = Database | Transaction

# Who keeps what came before its patient was known, or proven, looks for it; the subject is the patient.
KNOWN = ("reports.find",)

_ROWS = "SELECT q.id FROM patients o JOIN patients q ON q.record_id = o.record_id"
# For ``patient_id IN …``, by the id of any of them: all rows of its record; those of them under another document.
SAME = f"({_ROWS} WHERE o.id = %s)"
OTHERS = f"({_ROWS} AND q.id <> o.id WHERE o.id = %s)"


def of_record(source: Source, patient_id: str) -> list[str]:
    """The rows of a patient's record, also its own."""
    return [row["id"] for row in source.all(f"{_ROWS} WHERE o.id = %s ORDER BY q.id", (patient_id,))]


def record_id(source: Source, patient_id: str) -> str:
    """What is the same for all of them."""
    row = source.one("SELECT record_id FROM patients WHERE id = %s", (patient_id,))
    assert row is not None
    return str(row["record_id"])


def lock(tx: Transaction, patient_id: str) -> None:
    """From here to the end of the transaction, one at a time for this record.

    Something of its own row must be asked for: a join that gives nothing is left out by MariaDB, and locks nothing.
    """
    tx.one("SELECT p.id, r.created_at FROM patients p LEFT JOIN patients r ON r.id = p.record_of WHERE p.id = %s "
           "FOR UPDATE", (patient_id,))

"""SQL about many patients and accounts at once: for what is told by the thousand."""

from __future__ import annotations

from datetime import datetime

from hospital.database.connection import Row
from hospital.patients import store
from hospital.security import sealed


def openids(source: store.Source, account_ids: list[str]) -> dict[str, str]:
    """The WeChat users behind some accounts, by account."""
    if not account_ids:
        return {}
    return {row["id"]: sealed.value(row, "openid", f"accounts.openid:{row['id']}") for row in source.all(
        f"SELECT id, openid, openid_enc FROM accounts WHERE id IN ({', '.join(['%s'] * len(account_ids))})",
        account_ids)}


def names(source: store.Source, patient_ids: list[str]) -> dict[str, str]:
    """The full names of some patients, by id, for messages to who may read them."""
    if not patient_ids:
        return {}
    return {row["id"]: store.full_name(row["id"], row["name_enc"]) for row in source.all(
        f"SELECT id, name_enc FROM patients WHERE id IN ({', '.join(['%s'] * len(patient_ids))})", patient_ids)}


def standings_of(source: store.Source, pairs: list[tuple[str, str]]) -> list[Row]:
    """Account, patient, level and birth date of those pairs of an account and a patient that are bound."""
    if not pairs:
        return []
    return [{**row, "birth_date": store.birth_date(row)} for row in source.all(
        "SELECT b.account_id, p.id, b.level, p.birth_date, p.birth_date_enc FROM bindings b JOIN patients p "
        f"ON p.id = b.patient_id WHERE b.bound_flag = 1 AND (b.account_id, b.patient_id) IN ({_pairs(pairs)})",
        [one for pair in pairs for one in pair])]


def in_force_of(source: store.Source, pairs: list[tuple[str, str]], now: datetime) -> list[tuple[str, str, str]]:
    """For some pairs of account and patient: to which purpose's text in force there is consent."""
    if not pairs:
        return []
    return [(row["account_id"], row["patient_id"], row["purpose"]) for row in source.all(
        "SELECT c.account_id, c.patient_id, c.purpose FROM consents c WHERE c.live_flag = 1 "
        "AND c.version = (SELECT MAX(t.version) FROM consent_texts t WHERE t.purpose = c.purpose "
        f"AND t.effective_at <= %s) AND (c.account_id, c.patient_id) IN ({_pairs(pairs)})",
        [now, *(one for pair in pairs for one in pair)])]


def _pairs(pairs: list[tuple[str, str]]) -> str:
    return ", ".join(["(%s, %s)"] * len(pairs))

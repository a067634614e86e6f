"""Who may do what for a patient: the one rule that every route, job and message asks.

An account may act for a patient while it has them bound, its binding is worth enough for the act, and consent to the
texts in force is given. To give up, and to be given money back, nobody needs to ask: who paid is never kept from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from hospital.database import policy
from hospital.database.connection import Row, Transaction
from hospital.patients import many_store, proof_store, rules, store
from hospital.patients.model import Act
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import AppError, Forbidden, NotFound


class NotBound(NotFound):
    """The account has no such patient, or no more."""

    code, message = "patient_not_found", "未找到该就诊人，请返回重试。"


class ConsentRequired(Forbidden):
    """A consent in force is missing; ``fields`` names the purposes."""

    code, message = "consent_required", "请先阅读并同意相关授权书后再继续。"


class NotProven(Forbidden):
    """Nobody has proven yet that this record is theirs, or their child's."""

    code, message = "proof_required", "请先核验就诊人身份（医院预留手机号验证或就诊卡核验）后再查看。"


def act_for(tx: Transaction, account_id: str, patient_id: str, act: Act, settings: policy.Policy, now: datetime) -> str:
    """May this account do this for this patient now? Their HIS code; binding and record stay locked.

    Raises NotBound, NotProven, ConsentRequired (not given, withdrawn, or an older text).
    """
    bound = tx.ask_soon(store.LOCK_BOUND, (account_id, patient_id))
    given = store.purposes_in_force(tx, account_id, patient_id, now)
    return may_act(store.opened(bound.one()), given, act, settings, now)


def may_act(bound: Row | None, given: set[str], act: Act, settings: policy.Policy, now: datetime) -> str:
    """As :func:`act_for`, of what ``LOCK_BOUND`` (opened) and ``IN_FORCE`` have found."""
    if bound is None:
        raise NotBound
    if not rules.is_enough(act, bound["level"], settings):
        raise NotProven
    missing = [purpose for purpose in needed(bound["birth_date"], settings, hospital_day(now)) if purpose not in given]
    if missing:
        raise ConsentRequired(fields=missing)
    return str(bound["his_code"])


def check(source: store.Source, account_id: str, patient_id: str, act: Act, now: datetime,
          settings: policy.Policy | None = None) -> None:
    """As :func:`act_for`, where nothing hangs on it that is written: nobody waits for a lock.

    ``settings``: as they were just read, where many ask.
    """
    row, settings = store.standing(source, account_id, patient_id), settings or policy.load(source)
    refusal = _refusal(source, account_id, patient_id, row, act, settings, now)
    if refusal is not None:
        raise refusal


def may(source: store.Source, account_id: str, patient_id: str, act: Act, now: datetime) -> bool:
    """As :func:`check`, for what goes on by itself."""
    row, settings = store.standing(source, account_id, patient_id), policy.load(source)
    return _refusal(source, account_id, patient_id, row, act, settings, now) is None


def _refusal(source: store.Source, account_id: str, patient_id: str, row: Row | None, act: Act,
             settings: policy.Policy, now: datetime) -> AppError | None:
    """What speaks against it, by the account's binding (None: there is none)."""
    if row is None:
        return NotBound()
    if not rules.is_enough(act, row["level"], settings):
        return NotProven()
    missing = missing_consents(source, account_id, patient_id, row["birth_date"], settings, now)
    return ConsentRequired(fields=missing) if missing else None


def allowed(source: store.Source, account_id: str, act: Act, now: datetime) -> set[str]:
    """All the account's patients for whom it may do this."""
    settings, today = policy.load(source), hospital_day(now)
    given: dict[str, set[str]] = {}
    for patient_id, purpose in store.all_in_force(source, account_id, now):
        given.setdefault(patient_id, set()).add(purpose)
    return {row["id"] for row in store.standings(source, account_id)
            if rules.is_enough(act, row["level"], settings)
            and given.get(row["id"], set()) >= set(needed(row["birth_date"], settings, today))}


def allowed_of(source: store.Source, pairs: list[tuple[str, str]], act: Act, settings: policy.Policy, now: datetime
               ) -> set[tuple[str, str]]:
    """Those of some pairs (account, patient) of which the account may do this: a few questions for all of them."""
    today = hospital_day(now)
    given: dict[tuple[str, str], set[str]] = {}
    for account_id, patient_id, purpose in many_store.in_force_of(source, pairs, now):
        given.setdefault((account_id, patient_id), set()).add(purpose)
    return {pair for row in many_store.standings_of(source, pairs) if rules.is_enough(act, row["level"], settings)
            and given.get(pair := (row["account_id"], row["id"]), set()) >= set(
                needed(row["birth_date"], settings, today))}


def of_code(source: store.Source, code: str, act: Act, now: datetime) -> list[tuple[str, str]]:
    """Which accounts may do this for the patient with this number in the HIS: account, patient."""
    return _who_may(source, store.accounts_of_code(source, code), act, now)


def of_patient(source: store.Source, patient_id: str, act: Act, now: datetime) -> list[tuple[str, str]]:
    """Which accounts may do this for a patient's record: account, and the patient as it has them bound."""
    holders = proof_store.holders(source, patient_id)
    return _who_may(source, [(one.account_id, one.patient_id) for one in holders], act, now)


def _who_may(source: store.Source, pairs: Iterable[tuple[str, str]], act: Act, now: datetime) -> list[tuple[str, str]]:
    return [(account_id, patient_id) for account_id, patient_id in pairs
            if may(source, account_id, patient_id, act, now)]


# -- consents ---------------------------------------------------------------------------------------
def needed(born: date, settings: policy.Policy, today: date) -> list[str]:
    """The purposes that somebody born on this day needs consent for."""
    child = rules.age(born, today) < settings.guardian_below_age
    return ["HEALTH_DATA", *(["CHILD_GUARDIAN"] if child else [])]


def missing_consents(source: store.Source, account_id: str, patient_id: str, born: date, settings: policy.Policy,
                     now: datetime) -> list[str]:
    """The purposes that must be consented to (again) before the account can act for a patient."""
    given = store.purposes_in_force(source, account_id, patient_id, now)
    return [purpose for purpose in needed(born, settings, hospital_day(now)) if purpose not in given]

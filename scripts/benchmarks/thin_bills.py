"""The floor of ``bills_query``: a patient's bills from the HIS, as a bare WSGI callable."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from urllib3 import PoolManager

from scripts.benchmarks import replay
from scripts.benchmarks.outside import sign

KINDS = {"PRESCRIPTION": "处方", "EXAMINATION": "检查", "LABORATORY": "检验", "TREATMENT": "治疗"}
SHOWN = ("bill_no", "kind", "department_name", "doctor_name", "created_at", "pay_before", "version", "total_fen")
_local = threading.local()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The list; no routing, no validation, no log."""
    if not environ["QUERY_STRING"]:
        start_response("204 No Content", [])
        return []
    body = json.dumps(_list(environ["HTTP_AUTHORIZATION"].partition(" ")[2], environ["HTTP_X_CLIENT_SECRET"],
                            environ["QUERY_STRING"].partition("=")[2]),
                      ensure_ascii=False, separators=(",", ":")).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _list(token: str, secret: str, patient_id: str) -> dict[str, Any]:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = replay.connection(
            os.environ["MYSQL_HOST"], int(os.environ["MYSQL_PORT"]), os.environ["MYSQL_DATABASE"])
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    with connection.cursor() as cursor:
        run = cursor.execute
        run(replay.WHO, (hashlib.sha256(token.encode()).digest(),))
        account_id, secret_hash, expires_at, *_ = cursor.fetchone()
        if secret_hash != hashlib.sha256(secret.encode()).digest() or expires_at <= now:
            raise PermissionError
        run("SELECT p.id, b.level, p.birth_date, p.birth_date_enc FROM bindings b "
            "JOIN patients p ON p.id = b.patient_id WHERE b.account_id = %s AND b.bound_flag = 1 "
            "AND b.patient_id = %s", (account_id, patient_id))
        level = cursor.fetchone()[1]
        run("SELECT name, value FROM settings")
        cursor.fetchall()
        run("SELECT c.purpose FROM consents c WHERE c.account_id = %s AND c.patient_id = %s AND c.live_flag = 1 "
            "AND c.version = (SELECT MAX(t.version) FROM consent_texts t WHERE t.purpose = c.purpose "
            "AND t.effective_at <= %s)", (account_id, patient_id, now))
        given = cursor.fetchall()
        if not given or level != "FULL":
            raise PermissionError
        run(f"SELECT {replay.CODE} FROM patients p LEFT JOIN patients r ON r.id = p.record_of WHERE p.id = %s",
            (patient_id,))
        code = cursor.fetchone()[1]
        bills = _ask(f"/his/v1/patients/{code}/bills?state=UNPAID")["bills"]
        run("SELECT subject_id FROM staff_tasks WHERE kind = %s AND state = 'OPEN'", ("list.odd-row.bill",))
        cursor.fetchall()
        marks = ", ".join(["%s"] * len(bills))
        run("SELECT c.bill_no, c.order_id, o.account_id FROM charges c JOIN charge_orders o ON o.id = c.order_id "
            f"WHERE c.live_flag = 1 AND c.bill_no IN ({marks})", [bill["bill_no"] for bill in bills])
        held = {bill_no: (order_id, owner) for bill_no, order_id, owner in cursor.fetchall()}
    return {"bills": [_summary(bill, held.get(bill["bill_no"]), account_id) for bill in bills], "live": True,
            "left_out": 0, "as_of": f"{now.isoformat()}Z"}


def _summary(bill: dict[str, Any], held: tuple[str, str] | None, account_id: str) -> dict[str, Any]:
    return {**{name: bill[name] for name in SHOWN}, "kind_text": KINDS[bill["kind"]], "item_count": len(bill["items"]),
            "order_id": held[0] if held and held[1] == account_id else None,
            "being_paid": bool(held or bill["locked_by_trade"])}


def _ask(target: str) -> Any:
    key, timestamp, nonce = os.environ["HIS_KEY"], str(int(time.time())), secrets.token_hex(16)
    answer = _pool().request("GET", os.environ["HIS_BASE"] + target, timeout=3, retries=False, headers={
        "X-His-Client": "miniprogram", "X-His-Timestamp": timestamp, "X-His-Nonce": nonce,
        "X-His-Signature": sign(key, "GET", target, timestamp, nonce, hashlib.sha256(b"").hexdigest())})
    expected = sign(key, str(answer.status), answer.headers["X-His-Timestamp"], nonce,
                    hashlib.sha256(answer.data).hexdigest())
    if not hmac.compare_digest(answer.headers["X-His-Signature"], expected):
        raise PermissionError
    return json.loads(answer.data)


@lru_cache(maxsize=1)
def _pool() -> PoolManager:
    return PoolManager(num_pools=4, maxsize=32)

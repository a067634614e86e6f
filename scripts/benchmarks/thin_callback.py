"""The floor of ``payment_callback``: checks, opens and records a notice of payment as a bare WSGI callable."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pymysql.cursors import DictCursor

from scripts.benchmarks import replay
from scripts.benchmarks.hospital import BEIJING

_local = threading.local()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Record a payment; no routing, no log, nobody is woken. A forgery raises."""
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        public_key, aes = _keys()
        message = f"{environ['HTTP_WECHATPAY_TIMESTAMP']}\n{environ['HTTP_WECHATPAY_NONCE']}\n".encode() + body + b"\n"
        public_key.verify(base64.b64decode(environ["HTTP_WECHATPAY_SIGNATURE"]), message, PKCS1v15(), SHA256())
        sealed = json.loads(body)["resource"]
        _record(json.loads(aes.decrypt(sealed["nonce"].encode(), base64.b64decode(sealed["ciphertext"]),
                                       sealed["associated_data"].encode())))
    start_response("204 No Content", [])
    return []


@lru_cache(maxsize=1)
def _keys() -> tuple[Any, AESGCM]:
    return (load_pem_public_key(os.environ["PLATFORM_PUBLIC_KEY"].encode()),
            AESGCM(os.environ["API_V3_KEY"].encode()))


def _record(order: dict[str, Any]) -> None:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = replay.connection(
            os.environ["MYSQL_HOST"], int(os.environ["MYSQL_PORT"]), os.environ["MYSQL_DATABASE"])
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    paid_at = datetime.fromisoformat(order["success_time"])
    at, fen = paid_at.astimezone(timezone.utc).replace(tzinfo=None), order["amount"]["total"]
    with connection.cursor(DictCursor) as cursor:
        _, found = replay.exchange(cursor, ("BEGIN", ()), (
            "SELECT * FROM payments WHERE out_trade_no = %s FOR UPDATE", (order["out_trade_no"],)))
        if not found or found[0]["state"] != "OPEN" or found[0]["amount_fen"] != fen:
            cursor.execute("ROLLBACK")
            return
        [payment] = found
        replay.exchange(
            cursor,
            ("UPDATE payments SET state = %s, transaction_id = %s, paid_fen = %s, paid_at = %s WHERE id = %s",
             ("PAID", order["transaction_id"], fen, at, payment["id"])),
            ("INSERT INTO ledger (id, payment_id, movement, movement_key, amount_fen, at, day, recorded_at) "
             "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
             (_id(now), payment["id"], "CAPTURE", order["transaction_id"], fen, at,
              paid_at.astimezone(BEIJING).date(), now)),
            ("INSERT INTO outbox (id, worker, topic, subject_id, state, due_at, attempts, created_at) "
             "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
             (_id(now), "worker", f"{payment['kind']}.paid", payment["subject_id"], "PENDING", now, 0, now)),
            ("COMMIT", ()))


def _id(now: datetime) -> str:
    return f"{int(now.timestamp() * 1000):013X}{os.urandom(7).hex().upper()[:13]}"

"""``payment_callback``: WeChat Pay's notices of payment, each of another order, beside a bare callable.

The floor, on the same server, checks the same signature, opens the same ciphertext and runs the same statements
(recorded and compared). It wakes nobody; ``quiet`` is the service when it does not either.
"""

from __future__ import annotations

import difflib
import json
import secrets
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.wechatpay.book import Order
from sandbox.wechatpay.keys import Keys
from scripts import local_db, migrate
from scripts.benchmarks import clients, hospital, machine, outside, replay, servers, turns
from scripts.benchmarks.booking import Contender
from scripts.benchmarks.hospital import identifier
from scripts.benchmarks.town import Place

if TYPE_CHECKING:
    from scripts.benchmarks.hospital import Connection

NOTICES = 3000
FEN = 12_800
INDEX = (servers.ROOT / "functions" / "pay_callback" / "index.py").read_text()
ASLEEP = "from hospital.runtime import cloud\n\ncloud.wake = lambda function: None\n"


def measure(place: Place) -> machine.Report:
    """Notices a second by 32 clients at once, each in a durable transaction of its own."""
    database = f"{place.database}_callback"
    local_db.fresh_database(place.host, place.port, database)
    migrate.migrate(place.host, place.port, database)
    env = place.environment("pay_callback")
    keys, known = _keys(env["WECHATPAY_PUBLIC_KEY_ID"])
    mysql = {"MYSQL_HOST": place.host, "MYSQL_PORT": str(place.port), "MYSQL_DATABASE": database}
    told = {env["MYSQL_PASSWORD_SECRET"]: "", **{env[variable]: known[variable] for variable in known},
            **outside.data_keys(env)}
    with local_db.connect(place.host, place.port, database) as sql, \
            turns.bare(place, "callback-cloud", "outside.cloud", SECRETS=json.dumps(told)) as cloud:
        _fill(sql)
        at = {**mysql, "CLOUD_API_BASE": f"http://127.0.0.1:{cloud.port}"}
        with turns.bare(place, "callback-floor", "thin_callback.app", **mysql,
                        PLATFORM_PUBLIC_KEY=known["WECHATPAY_PUBLIC_KEY_SECRET"],
                        API_V3_KEY=known["WECHATPAY_API_V3_KEY_SECRET"]) as bare, \
                turns.function(place, "pay_callback", **at) as whole, \
                turns.function(place, "pay_callback", folder="own-asleep", index=ASLEEP + INDEX, **at) as asleep:
            contenders = [Contender(name, partial(clients.http_client, server.port, 204), list, server.pid)
                          for name, server in (("floor", bare), ("quiet", asleep), ("service", whole))]
            notices = _notices(keys, env)
            statements = _prove_same_sql(sql, contenders, notices)
            turns.take(place, contenders, notices, processes=clients.PROCESSES, threads=clients.THREADS,
                       reset=partial(_reset, sql))
            _check_books(sql, contenders[-1].rounds[-1].done)
    floor, quiet, service = (one.facts() for one in contenders)
    ratio = service["per_second"] / floor["per_second"]
    return machine.report(
        service["per_second"], floor["per_second"], "notices/s", aim=">= 0.6 of the bare callable", met=ratio >= 0.6,
        service=service, quiet=quiet, floor_detail=floor, clients=clients.PROCESSES * clients.THREADS,
        statements=len(statements), same_sql=True)


def _keys(public_key_id: str) -> tuple[Keys, dict[str, str]]:
    """WeChat Pay's side, and the merchant's: secrets by the variable that names them. Made fresh every time."""
    platform, merchant = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)
    api_v3_key = secrets.token_hex(16)
    return Keys(merchant_public_key_pem=_public(merchant), platform_private_key_pem=_private(platform),
                public_key_id=public_key_id, api_v3_key=api_v3_key), {
        "WECHATPAY_PRIVATE_KEY_SECRET": _private(merchant), "WECHATPAY_API_V3_KEY_SECRET": api_v3_key,
        "WECHATPAY_PUBLIC_KEY_SECRET": _public(platform)}


def _private(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()).decode()


def _public(key: rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo).decode()


def _notices(keys: Keys, env: dict[str, str]) -> list[bytes]:
    """A notice of each order, as it goes over the wire."""
    now = datetime.now(timezone.utc)
    return [_notice(keys, env, number, now) for number in range(NOTICES)]


def _notice(keys: Keys, env: dict[str, str], number: int, now: datetime) -> bytes:
    order = Order(out_trade_no=f"P{identifier('Q', number)}", total_fen=FEN, openid=f"bench-{number}", notify_url="",
                  attach=None, fingerprint="", created_at=now, expires_at=now + timedelta(minutes=15), description="",
                  paid_at=now, transaction_id=f"42000{number:023d}")
    content = order.answer(env["WECHAT_APP_ID"], env["WECHATPAY_MERCHANT_ID"], now)
    body = json.dumps({
        "id": f"EV-{number:023d}", "create_time": content["success_time"], "resource_type": "encrypt-resource",
        "event_type": "TRANSACTION.SUCCESS", "summary": "支付成功", "resource": keys.seal(content, "transaction"),
    }, ensure_ascii=False, separators=(",", ":")).encode()
    return clients.request("POST", "/notices/payment", keys.stamp(body, now), body)


# -- the database -----------------------------------------------------------------------------------
def _fill(sql: Connection) -> None:
    with sql.cursor() as cursor:
        hospital.numbers(cursor)
        cursor.execute("CREATE TABLE bench_payments LIKE payments")
        cursor.execute(
            "INSERT INTO bench_payments (id, kind, subject_id, account_id, openid, out_trade_no, description, "
            f"amount_fen, state, expires_at, created_at) SELECT {hospital.sql_id('Q', 'n')}, 'outpatient', "
            f"{hospital.sql_id('O', 'n')}, {hospital.sql_id('A', 'n')}, CONCAT('bench-', n), "
            f"CONCAT('P', {hospital.sql_id('Q', 'n')}), '门诊缴费', {FEN}, 'OPEN', UTC_TIMESTAMP(6) + INTERVAL 15 "
            f"MINUTE, UTC_TIMESTAMP(6) FROM bench_numbers WHERE n < {NOTICES}")


def _reset(sql: Connection) -> None:
    """Nothing is paid: every round starts from the same state."""
    with sql.cursor() as cursor:
        hospital.empty(cursor, "ledger", "outbox", "payments")
        cursor.execute("INSERT INTO payments SELECT * FROM bench_payments")
        cursor.execute("ANALYZE TABLE payments, ledger, outbox")
        cursor.fetchall()


def _prove_same_sql(sql: Connection, contenders: list[Contender], notices: list[bytes]) -> list[str]:
    _reset(sql)
    seen: dict[str, list[str]] = {}
    for one, notice in zip(contenders, notices, strict=False):
        client = one.client()
        outcomes: list[str] = []
        seen[one.name] = replay.recorded(sql, lambda: outcomes.append(client(notice)))  # noqa: B023
        if outcomes != ["ok"]:
            raise RuntimeError(f"{one.name} did not take the notice: {outcomes}")
    for name, statements in seen.items():
        if statements != seen["service"]:
            difference = "\n".join(difflib.unified_diff(seen["service"], statements, "service", name, lineterm=""))
            raise RuntimeError(f"the SQL of scripts/benchmarks/thin_callback.py is not the service's:\n{difference}")
    return seen["service"]


def _check_books(sql: Connection, done: int) -> None:
    """As many orders paid, entries in the ledger and arrows as notices that were answered."""
    with sql.cursor() as cursor:
        cursor.execute("SELECT (SELECT COUNT(*) FROM payments WHERE state = 'PAID' AND paid_fen = amount_fen), "
                       "(SELECT COUNT(*) FROM ledger), (SELECT COUNT(*) FROM outbox)")
        stored = cursor.fetchone()
    if stored != (done, done, done):
        raise RuntimeError(f"the books disagree: {done} answers; paid, entered, arrows: {stored}")

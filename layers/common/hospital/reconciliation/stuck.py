"""Orders that stand still: found by a timer, moved on, or put on staff's list with what each side says.

Normally every one of them has its arrow in the outbox, which tries by itself. The sweep is for what has
lost its arrow by a fault of ours, and for people to see what takes too long.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database import outbox, tasks
from hospital.database.connection import Database
from hospital.gateways import together, wechatpay
from hospital.gateways.his import trades as his_trades
from hospital.gateways.outcome import Unanswered
from hospital.payment import refunds
from hospital.reconciliation import stuck_store as store
from hospital.runtime import log

ASKING = 240.0  # seconds in which questions to the other sides are begun: of the 900 that the function has
DEADLINE = timedelta(minutes=10)  # past the moment at which it should have moved
TASK = "order.stuck"


def sweep(db: Database, now: datetime) -> int:
    """Find what stands still, give it back the arrow it lost, call a person when it takes hours. How many were touched.

    Tasks of what has moved on since are closed.
    """
    found = store.overdue(db, now - DEADLINE)
    touched = refunds.watch_stuck(db, now)
    for one in store.without_arrow(db, found):
        touched += _restart(db, one, now)
    touched += _call_people(db, found, now)
    still = {one.id for one in found}
    for subject_id in store.subjects_on_list(db, TASK):
        if subject_id not in still and not store.stands_still(db, subject_id):
            with db.transaction() as tx:
                tasks.settle(tx, kind=TASK, subject_id=subject_id, note="moved on", now=now)
    return touched


def _restart(db: Database, one: store.Overdue, now: datetime) -> bool:
    with db.transaction() as tx:
        if store.pending(tx, one):
            return False
        outbox.publish(tx, one.topic, one.id, due=now, now=now)
    log.event("order.restarted", kind=one.kind, subject=one.id, state=one.state, topic=one.topic)
    return True


def _call_people(db: Database, found: list[store.Overdue], now: datetime) -> int:
    """Put what takes hours on staff's list, the oldest first; how many.

    What could not be asked about in time is called for at the next look, where those of this one are on the list.
    """
    overdue = [one for one in sorted(found, key=lambda one: one.since, reverse=True) if now - one.since > one.patience]
    on_list = store.with_task(db, [one.id for one in overdue])
    late = {one.id: one for one in overdue if one.id not in on_list}
    late = dict(reversed(late.items()))  # of two of one subject, the older
    said = ask(list(late), [store.numbers(db, one.kind, one.id) for one in late.values()], ASKING)
    for subject_id, words in said.items():
        one = late[subject_id]
        steps = [f"{row['topic']} {row['state']} ×{row['attempts']} {row['last_error']}".strip()
                 for row in store.history(db, subject_id)]
        with db.transaction() as tx:
            tasks.add(tx, kind=TASK, subject_id=subject_id, now=now, detail="; ".join(
                [f"{one.kind} {one.state} since {one.since:%Y-%m-%d %H:%M} UTC", *words, *steps]))
    if len(said) < len(late):
        log.event("order.left-for-later", orders=len(late) - len(said))
    return len(said)


def ask(subjects: list[str], numbers: list[tuple[str, str]], seconds: float) -> dict[str, list[str]]:
    """What WeChat and the HIS say of each, by its two numbers. Those are left out that were not begun in time."""
    outcomes = together.each(_both_say, numbers, seconds=seconds)
    return {subject: words for subject, words in zip(subjects, outcomes, strict=True) if isinstance(words, list)}


def _both_say(numbers: tuple[str, str]) -> list[str]:
    out_trade_no, trade_no = numbers
    said = [f"WeChat Pay: {_wechat_says(out_trade_no)}"] if out_trade_no else []
    return said + ([f"HIS: {_his_says(trade_no)}"] if trade_no else [])


def _wechat_says(out_trade_no: str) -> str:
    try:
        order = wechatpay.query_order(out_trade_no)
    except Unanswered as silence:
        return silence.reason
    return f"{order.state}, {order.total_fen} fen {order.not_ours}".strip() if order is not None else "unknown"


def _his_says(trade_no: str) -> str:
    try:
        trade = his_trades.check_trade(trade_no)
    except Unanswered as silence:
        return silence.reason
    return trade.state if trade is not None else "unknown"

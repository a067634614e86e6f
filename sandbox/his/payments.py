"""A payment by WeChat Pay, as the caller reports it. The HIS moves no money itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sandbox.his.wire import Fields

TRANSACTION = r"[0-9A-Za-z]{1,32}"


@dataclass(frozen=True)
class Payment:
    """Money the caller has received; ``paid_fen`` is the part that belongs to this trade."""

    NAMES: ClassVar[tuple[str, ...]] = ("channel", "transaction_id", "paid_fen", "paid_at")

    transaction_id: str
    paid_fen: int
    paid_at: datetime

    @classmethod
    def read(cls, fields: Fields) -> Payment:
        """The payment in these fields. Raises Refused INVALID_FIELD."""
        fields.choice("channel", ("WECHAT",))
        return cls(fields.text("transaction_id", TRANSACTION), fields.fen("paid_fen"), fields.moment("paid_at"))

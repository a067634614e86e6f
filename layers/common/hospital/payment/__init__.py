"""Money: orders to pay, captures, refunds, the ledger. What it is paid for belongs to the floor above.

The feature above hears of money through the outbox: ``<kind>.paid`` and ``<kind>.refunded`` with the id
of its own subject. So received money is always recorded first, and the order moves on after.
"""

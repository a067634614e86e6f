"""MySQL: connections and transactions, the outbox, staff tasks, hospital policy, repeated requests."""

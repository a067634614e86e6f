-- What is under way carries the policy it began with: how long the HIS keeps a lock, and until when a registration
-- may be cancelled on line. NULL in rows that were begun before: theirs is computed from the policy in force.

ALTER TABLE bookings
  ADD COLUMN hold_until DATETIME(6) NULL,
  ADD COLUMN cancel_until DATETIME(6) NULL;

ALTER TABLE charge_orders
  ADD COLUMN hold_until DATETIME(6) NULL;

-- What a patient chooses when the hospital has stopped or changed what they are registered for.

-- A registration whose session takes place no more: until when its patient may choose. open_flag is 1 while they may;
-- the UNIQUE key over it is what tells nobody twice.
CREATE TABLE booking_choices (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  booking_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  schedule_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  choose_until DATETIME(6) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  open_flag TINYINT AS (CASE WHEN state = 'OPEN' THEN 1 ELSE NULL END) STORED,
  UNIQUE KEY booking_choices_open (booking_id, open_flag),
  KEY booking_choices_schedule (schedule_id, open_flag),
  KEY booking_choices_due (state, choose_until),
  CONSTRAINT booking_choices_booking_fk FOREIGN KEY (booking_id) REFERENCES bookings (id),
  CONSTRAINT booking_choices_state CHECK (state IN ('OPEN', 'MOVED', 'CANCELLED', 'LAPSED', 'WITHDRAWN', 'ENDED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One try to move a registration to another place. The place is held under the move's own id (slots.booking_id) until
-- it is the registration's. difference_fen: what is to be paid besides (negative: what comes back). live_flag is 1
-- while it is under way: a registration has one at a time.
CREATE TABLE booking_moves (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  booking_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  from_trade_no VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  trade_no VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  schedule_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  slot_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  fee_fen BIGINT NOT NULL,
  difference_fen BIGINT NOT NULL,
  state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  expires_at DATETIME(6) NOT NULL,
  hold_until DATETIME(6) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  live_flag TINYINT AS (CASE WHEN state IN ('HELD', 'AWAITING_PAYMENT', 'MOVING') THEN 1 ELSE NULL END) STORED,
  UNIQUE KEY booking_moves_live (booking_id, live_flag),
  UNIQUE KEY booking_moves_trade (trade_no),
  KEY booking_moves_age (state, changed_at),
  CONSTRAINT booking_moves_booking_fk FOREIGN KEY (booking_id) REFERENCES bookings (id),
  CONSTRAINT booking_moves_state CHECK (state IN ('HELD', 'AWAITING_PAYMENT', 'MOVING', 'DONE', 'RELEASED',
    'REJECTED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- part: of a registration that was moved, the move under whose number (or whose difference's) this was settled; empty:
-- the first, and everything else. What has none is settled once, as before.
ALTER TABLE settlements
  ADD COLUMN part VARCHAR(28) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  DROP KEY settlements_subject,
  ADD UNIQUE KEY settlements_subject (kind, subject_id, part);

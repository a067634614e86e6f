-- Check-in, outpatient bills, what the HIS has settled, desk refunds, e-bills, daily statements. Amounts are fen.

ALTER TABLE bookings
  ADD COLUMN checked_in_at DATETIME(6) NULL,
  ADD COLUMN queue_number VARCHAR(20) NOT NULL DEFAULT '',
  ADD COLUMN queue_place VARCHAR(100) NOT NULL DEFAULT '',
  ADD COLUMN queue_ahead INT NULL,
  ADD COLUMN late TINYINT NOT NULL DEFAULT 0,
  ADD KEY bookings_state_age (state, changed_at);

ALTER TABLE bookings DROP CONSTRAINT bookings_state;

ALTER TABLE bookings ADD CONSTRAINT bookings_state CHECK (state IN ('HELD', 'AWAITING_PAYMENT', 'CONFIRMING',
  'CONFIRMED', 'CHECKED_IN', 'CANCELLING', 'CANCELLED', 'RELEASED', 'REJECTED'));

-- One attempt to check in; a refused or unpaid one may be followed by another.
CREATE TABLE checkins (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  booking_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  expires_at DATETIME(6) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  live_flag TINYINT AS (CASE WHEN state IN ('AWAITING_PAYMENT', 'CHECKING_IN', 'DONE') THEN 1 ELSE NULL END) STORED,
  UNIQUE KEY checkins_live (booking_id, live_flag),
  KEY checkins_state_age (state, changed_at),
  CONSTRAINT checkins_booking_fk FOREIGN KEY (booking_id) REFERENCES bookings (id),
  CONSTRAINT checkins_state CHECK (state IN ('AWAITING_PAYMENT', 'CHECKING_IN', 'DONE', 'REFUSED', 'EXPIRED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What hospitals push, once each. What they mean is read from the HIS.
CREATE TABLE his_events (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  event_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  type VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bill_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  refund_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  trade_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  occurred_at DATETIME(6) NOT NULL,
  received_at DATETIME(6) NOT NULL,
  UNIQUE KEY his_events_once (event_id),
  KEY his_events_age (received_at)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Bills as the HIS last told them: shown when it does not answer, never paid from.
CREATE TABLE known_bills (
  bill_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  patient_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version INT NOT NULL,
  bill_enc MEDIUMBLOB NOT NULL,
  pay_before DATETIME(6) NOT NULL,
  read_at DATETIME(6) NOT NULL,
  KEY known_bills_patient (patient_code, state),
  KEY known_bills_age (pay_before)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One WeChat payment of one or several bills.
CREATE TABLE charge_orders (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  total_fen BIGINT NOT NULL,
  expires_at DATETIME(6) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  KEY charge_orders_account (account_id, id),
  KEY charge_orders_state_age (state, changed_at),
  CONSTRAINT charge_orders_total CHECK (total_fen > 0),
  CONSTRAINT charge_orders_state CHECK (state IN ('OPEN', 'AWAITING_PAYMENT', 'SETTLING', 'DONE', 'RELEASED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One bill's part of it, settled in the HIS under its own trade number. live_flag is 1 while the bill is being
-- paid or is paid by it: the UNIQUE key over it is what keeps a bill from being paid twice from here.
CREATE TABLE charges (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  order_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bill_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bill_version INT NOT NULL,
  bill_enc MEDIUMBLOB NOT NULL,
  trade_no VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_fen BIGINT NOT NULL,
  state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  settlement_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  pharmacy_window VARCHAR(100) NOT NULL DEFAULT '',
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  live_flag TINYINT AS (CASE WHEN state IN ('RELEASED', 'REJECTED', 'CANCELLED') THEN NULL ELSE 1 END) STORED,
  UNIQUE KEY charges_live (bill_no, live_flag),
  UNIQUE KEY charges_trade (trade_no),
  KEY charges_order (order_id),
  KEY charges_state_age (state, changed_at),
  CONSTRAINT charges_order_fk FOREIGN KEY (order_id) REFERENCES charge_orders (id),
  CONSTRAINT charges_amount CHECK (amount_fen > 0),
  CONSTRAINT charges_state CHECK (state IN ('OPEN', 'SETTLING', 'SETTLED', 'REJECTED', 'RELEASED', 'CANCELLING',
    'CANCELLED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Every step a charge took.
CREATE TABLE charge_history (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  charge_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  from_state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  to_state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  at DATETIME(6) NOT NULL,
  KEY charge_history_charge (charge_id, id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What the HIS has taken of a payment under one trade number: a registration's fee or a bill. reversing_fen is
-- promised back, reversed_fen is taken out of the HIS's books too. Items stand in items_enc.
CREATE TABLE settlements (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  trade_no VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_fen BIGINT NOT NULL,
  reversing_fen BIGINT NOT NULL DEFAULT 0,
  reversed_fen BIGINT NOT NULL DEFAULT 0,
  items_enc MEDIUMBLOB NOT NULL,
  settled_at DATETIME(6) NOT NULL,
  UNIQUE KEY settlements_trade (trade_no),
  UNIQUE KEY settlements_subject (kind, subject_id),
  KEY settlements_payment (payment_id),
  KEY settlements_age (settled_at),
  CONSTRAINT settlements_payment_fk FOREIGN KEY (payment_id) REFERENCES payments (id),
  CONSTRAINT settlements_amount CHECK (amount_fen > 0),
  CONSTRAINT settlements_reversed CHECK (reversed_fen >= 0 AND reversed_fen <= reversing_fen
    AND reversing_fen <= amount_fen)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

ALTER TABLE ledger DROP CONSTRAINT ledger_movement;

-- CAPTURE and REFUND are WeChat's side, SETTLEMENT and REVERSAL the HIS's; day is the hospital day of at.
ALTER TABLE ledger
  ADD COLUMN day DATE NULL,
  ADD CONSTRAINT ledger_movement CHECK (movement IN ('CAPTURE', 'REFUND', 'SETTLEMENT', 'REVERSAL'));

UPDATE ledger SET day = DATE(at + INTERVAL 8 HOUR);

ALTER TABLE ledger
  MODIFY COLUMN day DATE NOT NULL,
  ADD KEY ledger_day (day, movement, movement_key, amount_fen);

ALTER TABLE refunds DROP CONSTRAINT refunds_state_ok;

ALTER TABLE refunds
  ADD COLUMN sent_at DATETIME(6) NULL,
  ADD KEY refunds_purpose (purpose),
  ADD CONSTRAINT refunds_state_ok CHECK (state IN ('REQUESTED', 'PROCESSING', 'SUCCEEDED', 'STUCK', 'GIVEN_UP'));

ALTER TABLE payments ADD KEY payments_state_age (state, expires_at), ADD KEY payments_page (account_id, id),
  ADD KEY payments_of_subject (subject_id);

ALTER TABLE staff_tasks ADD KEY staff_tasks_subject (subject_id);

-- Refunds that the hospital's desk has begun.
CREATE TABLE desk_refunds (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  refund_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  trade_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  settlement_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  amount_fen BIGINT NOT NULL DEFAULT 0,
  items TEXT NOT NULL,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  code VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  begun_on DATE NULL,
  found_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  reported_at DATETIME(6) NULL,
  UNIQUE KEY desk_refunds_number (refund_no),
  KEY desk_refunds_settlement (settlement_id),
  KEY desk_refunds_state_age (state, changed_at),
  KEY desk_refunds_day (begun_on, refund_no),
  CONSTRAINT desk_refunds_state CHECK (state IN ('FOUND', 'REFUNDING', 'SUCCEEDED', 'FAILED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Fiscal e-bills: the first of a settlement and those re-issued for what a refund left.
CREATE TABLE invoices (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  settlement_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_fen BIGINT NOT NULL,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  document_enc MEDIUMBLOB NOT NULL,
  bus_at DATETIME(6) NOT NULL,
  sent_at DATETIME(6) NULL,
  batch_code VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  number VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  check_code VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  issued_at DATETIME(6) NULL,
  file_url_enc VARBINARY(2048) NULL,
  file_key VARCHAR(120) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  write_off_at DATETIME(6) NULL,
  red_batch_code VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  red_number VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  live_flag TINYINT AS (CASE WHEN state IN ('VOID', 'WRITTEN_OFF') THEN NULL ELSE 1 END) STORED,
  without_file TINYINT AS (CASE WHEN state = 'ISSUED' AND file_key = '' THEN 1 ELSE NULL END) STORED,
  UNIQUE KEY invoices_live (settlement_id, live_flag),
  KEY invoices_without_file (without_file, changed_at),
  KEY invoices_account (account_id, id),
  KEY invoices_day (bus_at),
  KEY invoices_red_day (write_off_at),
  KEY invoices_state_age (state, changed_at),
  CONSTRAINT invoices_settlement_fk FOREIGN KEY (settlement_id) REFERENCES settlements (id),
  CONSTRAINT invoices_amount CHECK (amount_fen > 0),
  CONSTRAINT invoices_state CHECK (state IN ('ORDERED', 'VOID', 'ISSUED', 'WRITING_OFF', 'WRITTEN_OFF',
    'ON_PAPER'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The statement of a hospital day: what agrees is counted and summed, what does not stands line by line.
CREATE TABLE statements (
  day DATE NOT NULL PRIMARY KEY,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  file_key VARCHAR(120) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  waiting_for VARCHAR(200) NOT NULL DEFAULT '',
  begun_at DATETIME(6) NOT NULL,
  done_at DATETIME(6) NULL,
  CONSTRAINT statements_state CHECK (state IN ('WAITING', 'DONE'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE statement_sums (
  day DATE NOT NULL,
  source VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  movement VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  line_count INT NOT NULL,
  ours_fen BIGINT NOT NULL,
  theirs_fen BIGINT NOT NULL,
  PRIMARY KEY (day, source, movement, state)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE statement_lines (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  day DATE NOT NULL,
  source VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  movement VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ours_fen BIGINT NULL,
  theirs_fen BIGINT NULL,
  action VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  detail VARCHAR(300) NOT NULL DEFAULT '',
  settled_on DATE NULL,
  UNIQUE KEY statement_lines_once (day, source, movement, number),
  KEY statement_lines_open (source, movement, number, settled_on),
  CONSTRAINT statement_lines_state CHECK (state IN ('OURS_ONLY', 'THEIRS_ONLY', 'AMOUNT_DIFFERS', 'LATE'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

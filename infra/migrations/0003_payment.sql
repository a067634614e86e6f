-- Payments, refunds and the ledger. Amounts are fen.

CREATE TABLE payments (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  openid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  out_trade_no VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  description VARCHAR(120) NOT NULL,
  amount_fen BIGINT NOT NULL,
  state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  expires_at DATETIME(6) NOT NULL,
  transaction_id VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NULL,
  paid_fen BIGINT NOT NULL DEFAULT 0,
  paid_at DATETIME(6) NULL,
  refunding_fen BIGINT NOT NULL DEFAULT 0,
  created_at DATETIME(6) NOT NULL,
  UNIQUE KEY payments_out_trade_no (out_trade_no),
  UNIQUE KEY payments_subject (kind, subject_id),
  UNIQUE KEY payments_transaction (transaction_id),
  KEY payments_account (account_id, created_at),
  CONSTRAINT payments_state CHECK (state IN ('OPEN', 'CLOSED', 'PAID')),
  CONSTRAINT payments_amount CHECK (amount_fen > 0),
  CONSTRAINT payments_refunds CHECK (refunding_fen >= 0 AND refunding_fen <= paid_fen)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE refunds (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  payment_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  purpose VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  out_refund_no VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_fen BIGINT NOT NULL,
  reason VARCHAR(80) NOT NULL,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  code VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  wechat_refund_id VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  created_at DATETIME(6) NOT NULL,
  succeeded_at DATETIME(6) NULL,
  UNIQUE KEY refunds_once (payment_id, purpose),
  UNIQUE KEY refunds_out_refund_no (out_refund_no),
  KEY refunds_state (state, created_at),
  CONSTRAINT refunds_payment_fk FOREIGN KEY (payment_id) REFERENCES payments (id),
  CONSTRAINT refunds_amount CHECK (amount_fen > 0),
  CONSTRAINT refunds_state_ok CHECK (state IN ('REQUESTED', 'PROCESSING', 'SUCCEEDED', 'STUCK'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Append-only: one row a movement; balances are sums. amount_fen is positive in, negative out.
CREATE TABLE ledger (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  payment_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  movement VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  movement_key VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_fen BIGINT NOT NULL,
  at DATETIME(6) NOT NULL,
  recorded_at DATETIME(6) NOT NULL,
  UNIQUE KEY ledger_once (movement, movement_key),
  KEY ledger_payment (payment_id),
  KEY ledger_at (at),
  CONSTRAINT ledger_movement CHECK (movement IN ('CAPTURE', 'REFUND'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

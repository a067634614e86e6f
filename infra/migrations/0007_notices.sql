-- Money that staff paid back in another way, and lines of statements that differ in more than their amount.

ALTER TABLE refunds DROP CONSTRAINT refunds_state_ok;

-- how and reference: in which way, and where that is proven, of one that is ELSEWHERE.
ALTER TABLE refunds
  ADD COLUMN how VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN reference VARCHAR(64) NULL,
  ADD CONSTRAINT refunds_state_ok CHECK (state IN ('REQUESTED', 'PROCESSING', 'SUCCEEDED', 'STUCK', 'GIVEN_UP',
    'ELSEWHERE'));

ALTER TABLE ledger DROP CONSTRAINT ledger_movement;

-- ELSEWHERE is money that the hospital paid back without WeChat Pay.
ALTER TABLE ledger
  ADD CONSTRAINT ledger_movement CHECK (movement IN ('CAPTURE', 'REFUND', 'SETTLEMENT', 'REVERSAL', 'ELSEWHERE'));

ALTER TABLE statement_lines DROP CONSTRAINT statement_lines_state;

ALTER TABLE statement_lines
  ADD CONSTRAINT statement_lines_state CHECK (state IN ('OURS_ONLY', 'THEIRS_ONLY', 'AMOUNT_DIFFERS',
    'DETAIL_DIFFERS', 'LATE'));

-- Whose record it is: how a binding was proven, codes by SMS, and whom a message speaks of.

-- level: FULL once somebody has proven that the record is theirs, else LIMITED. NULL: bound by name and number alone,
-- by code from before; the setting bindings_before_proof says what that is worth.
-- proof: by what; ended_by: ACCOUNT, HOLDER or STAFF.
-- bindings_level: old code writes no level, and NULL is in every list.
ALTER TABLE bindings
  ADD COLUMN level VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN proof VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN proven_at DATETIME(6) NULL,
  ADD COLUMN ended_by VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD CONSTRAINT bindings_level CHECK (level IN ('FULL', 'LIMITED'));

-- A code that was sent to a record's phone for one account. phone_hash: to which number, so that it is worth nothing
-- once the file has another; tries: wrong ones.
CREATE TABLE proof_codes (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  phone_hash BINARY(32) NOT NULL,
  code_hash BINARY(32) NOT NULL,
  tries INT NOT NULL DEFAULT 0,
  sent_at DATETIME(6) NOT NULL,
  expires_at DATETIME(6) NOT NULL,
  used_at DATETIME(6) NULL,
  KEY proof_codes_account (account_id, patient_id, sent_at),
  KEY proof_codes_phone (phone_hash, sent_at)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Wrong card and visit numbers, counted by account and patient.
CREATE TABLE proof_tries (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tried_at DATETIME(6) NOT NULL,
  KEY proof_tries_account (account_id, patient_id, tried_at)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- patient_id: of whom it speaks. NULL: from before, or of nobody.
ALTER TABLE messages
  ADD COLUMN patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL;

ALTER TABLE messages DROP CONSTRAINT messages_state;

-- WITHHELD: the account may not read of this person any more.
ALTER TABLE messages
  ADD CONSTRAINT messages_state CHECK (state IN ('QUEUED', 'SENDING', 'SENT', 'REFUSED', 'UNCERTAIN', 'NO_TEMPLATE',
    'WITHHELD'));

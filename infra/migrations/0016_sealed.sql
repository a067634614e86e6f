-- What stood open in plain columns gets sealed ones beside it (docs/decisions/0014-what-is-sealed.md). A row has a
-- value in the one or in the other; where the plain one is filled, that one counts.

-- accounts_openid_hash: code from before leaves the hash NULL, and its own key accounts_openid goes on refusing doubles.
ALTER TABLE accounts
  MODIFY COLUMN openid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN openid_enc VARBINARY(255) NULL,
  ADD COLUMN openid_hash BINARY(32) NULL,
  ADD UNIQUE KEY accounts_openid_hash (openid_hash);

-- patients_his_hash: likewise; code from before is kept by patients_his.
ALTER TABLE patients
  MODIFY COLUMN his_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  MODIFY COLUMN card_number VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  MODIFY COLUMN birth_date DATE NULL,
  ADD COLUMN his_code_enc VARBINARY(255) NULL,
  ADD COLUMN his_code_hash BINARY(32) NULL,
  ADD COLUMN card_number_enc VARBINARY(255) NULL,
  ADD COLUMN birth_date_enc VARBINARY(64) NULL,
  ADD UNIQUE KEY patients_his_hash (his_code_hash);

ALTER TABLE payments ADD COLUMN openid_enc VARBINARY(255) NULL;

ALTER TABLE invoices ADD COLUMN check_code_enc VARBINARY(255) NULL;

-- Code from before reads the plain columns and must find them filled while it runs beside. So where there is anybody
-- already, the plain ones go on being written until staff say that all functions are new (personal.seal).
INSERT INTO settings (name, value, changed_at)
  SELECT 'plain_columns', 'true', UTC_TIMESTAMP(6) FROM accounts LIMIT 1;

-- Sessions that end idle and can be told apart by their owner; an audit that says from where, and what was before.

-- device_enc: what the client calls itself, sealed. last_used_at is written coarsely. idle_minutes is the setting the
-- session began with; both are NULL in sessions of code from before, which end by their time alone.
ALTER TABLE sessions
  ADD COLUMN device_enc VARBINARY(512) NULL,
  ADD COLUMN last_used_at DATETIME(6) NULL,
  ADD COLUMN idle_minutes INT NULL;

-- claimed: the name that an operator typed. request_id: of the request or the invocation, by which CloudAudit knows
-- who invoked. detail: JSON, nothing personal. personal_enc: JSON of what is, sealed. once: a hash of an entry that is
-- wanted once an hour; audit_once refuses the second. Code from before leaves once NULL, which is never refused.
ALTER TABLE audit
  ADD COLUMN claimed VARCHAR(64) NULL,
  ADD COLUMN address VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN request_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN detail MEDIUMTEXT NULL,
  ADD COLUMN personal_enc MEDIUMBLOB NULL,
  ADD COLUMN once BINARY(32) NULL,
  ADD UNIQUE KEY audit_once (once);

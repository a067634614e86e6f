-- What every feature stands on: settings, outbox, staff tasks, audit, sessions, repeated requests.
-- Times are UTC. Ids are ULIDs. *_enc columns are SM4-GCM, *_hash columns keyed HMAC-SM3.

CREATE TABLE settings (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  value TEXT NOT NULL,
  changed_at DATETIME(6) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE outbox (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  worker VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  topic VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  due_at DATETIME(6) NOT NULL,
  attempts INT NOT NULL,
  last_error VARCHAR(255) NOT NULL DEFAULT '',
  created_at DATETIME(6) NOT NULL,
  done_at DATETIME(6) NULL,
  KEY outbox_due (worker, state, due_at),
  KEY outbox_subject (subject_id),
  KEY outbox_done (state, done_at),
  CONSTRAINT outbox_state CHECK (state IN ('PENDING', 'DONE', 'GIVEN_UP'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE staff_tasks (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  kind VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  job_id VARCHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  detail VARCHAR(500) NOT NULL,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME(6) NOT NULL,
  resolved_by VARCHAR(64) NOT NULL DEFAULT '',
  resolution VARCHAR(500) NOT NULL DEFAULT '',
  resolved_at DATETIME(6) NULL,
  open_flag TINYINT AS (CASE WHEN state = 'OPEN' THEN 1 ELSE NULL END) STORED,
  UNIQUE KEY staff_tasks_open (kind, subject_id, open_flag),
  KEY staff_tasks_state (state, created_at)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Append-only: deployment grants the application's database user INSERT and SELECT on it, no more.
CREATE TABLE audit (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  at DATETIME(6) NOT NULL,
  actor VARCHAR(64) NOT NULL,
  action VARCHAR(64) NOT NULL,
  subject VARCHAR(64) NOT NULL,
  result VARCHAR(64) NOT NULL,
  KEY audit_subject (subject, at),
  KEY audit_actor (actor, at)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE shared_tokens (
  name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  value VARBINARY(1024) NULL,
  expires_at DATETIME(6) NOT NULL,
  lease_until DATETIME(6) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE sessions (
  token_hash BINARY(32) NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  secret_hash BINARY(32) NOT NULL,
  expires_at DATETIME(6) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  KEY sessions_account (account_id),
  KEY sessions_expiry (expires_at)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE repeats (
  owner_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  request_key VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  request BINARY(32) NOT NULL,
  answer TEXT NOT NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (owner_id, request_key),
  KEY repeats_age (created_at)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

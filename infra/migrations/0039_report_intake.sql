-- What was sent and is no report that can be shown, whole and sealed; and how far each system's list was read.

-- state: OPEN, AGAIN (staff want it read once more), TAKEN.
CREATE TABLE report_refusals (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  sender VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  form VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  body_hash BINARY(32) NOT NULL,
  reason VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  place VARCHAR(200) NOT NULL,
  state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  body_enc MEDIUMBLOB NOT NULL,
  received_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  UNIQUE KEY report_refusals_once (body_hash),
  KEY report_refusals_state (state, id),
  CONSTRAINT report_refusals_states CHECK (state IN ('OPEN', 'AGAIN', 'TAKEN'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE report_cursors (
  sender VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  position VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  changed_at DATETIME(6) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

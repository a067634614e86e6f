-- Complaints, suggestions, praise and questions; what happened to each; their pictures.

-- number is what a patient reads out on the phone: random digits and a check digit. What was written is sealed.
CREATE TABLE complaints (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number CHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  about VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  about_id VARCHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  text_state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  round TINYINT NOT NULL DEFAULT 1,
  warn_at DATETIME(6) NULL,
  due_at DATETIME(6) NULL,
  answered_at DATETIME(6) NULL,
  closes_at DATETIME(6) NULL,
  stars TINYINT NULL,
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  UNIQUE KEY complaints_number (number),
  KEY complaints_account (account_id, id),
  KEY complaints_state (state, id),
  KEY complaints_due (state, due_at),
  CONSTRAINT complaints_kind CHECK (kind IN ('COMPLAINT', 'SUGGESTION', 'PRAISE', 'QUESTION')),
  CONSTRAINT complaints_about CHECK (about IN ('NOTHING', 'VISIT', 'DEPARTMENT', 'DOCTOR')),
  CONSTRAINT complaints_state CHECK (state IN ('RECEIVED', 'IN_HAND', 'ANSWERED', 'REOPENED', 'CLOSED', 'WITHDRAWN')),
  CONSTRAINT complaints_text CHECK (text_state IN ('PASSED', 'REVIEW', 'RISKY', 'UNCHECKED')),
  CONSTRAINT complaints_account_fk FOREIGN KEY (account_id) REFERENCES accounts (id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What happened, in order. actor is empty for what the account itself did, and for what time did.
CREATE TABLE complaint_entries (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  complaint_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  what VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  actor VARCHAR(64) NOT NULL,
  text_enc BLOB NULL,
  at DATETIME(6) NOT NULL,
  KEY complaint_entries_of (complaint_id, id),
  CONSTRAINT complaint_entries_what CHECK (what IN ('RECEIVED', 'TAKEN', 'HANDED_OVER', 'NOTED', 'ANSWERED', 'RATED',
    'REOPENED', 'WITHDRAWN', 'CLOSED')),
  CONSTRAINT complaint_entries_fk FOREIGN KEY (complaint_id) REFERENCES complaints (id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- raw_key is where the phone uploads to, until upload_until; clean_key is our own copy, drawn anew.
CREATE TABLE pictures (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  complaint_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  position TINYINT NOT NULL DEFAULT 0,
  state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  raw_key VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  clean_key VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  upload_until DATETIME(6) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  KEY pictures_complaint (complaint_id, position),
  KEY pictures_age (complaint_id, created_at),
  CONSTRAINT pictures_state CHECK (state IN ('AWAITED', 'UPLOADED', 'READY', 'REFUSED', 'REMOVED')),
  CONSTRAINT pictures_account_fk FOREIGN KEY (account_id) REFERENCES accounts (id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What patients are reminded of: one row a kind, subject, occasion and account, whatever runs how often. The row is the
-- plan; what is said, and whether it still holds, is looked at when it is due. SENDING: somebody is at it since
-- changed_at; message_id is what they have written to be sent. urgent: so near that it is told in quiet hours too.
-- Nothing personal stands here.
CREATE TABLE reminders (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  kind VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  occasion VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  urgent TINYINT NOT NULL DEFAULT 0,
  due_at DATETIME(6) NOT NULL,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  message_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  UNIQUE KEY reminders_once (kind, subject_id, occasion, account_id),
  KEY reminders_due (state, due_at, id),
  KEY reminders_age (created_at),
  CONSTRAINT reminders_state CHECK (state IN ('PLANNED', 'SENDING', 'TOLD', 'DROPPED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- known_since: when the program first heard of a bill; it is reminded of by its age. NULL: before that was kept.
ALTER TABLE known_bills ADD COLUMN known_since DATETIME(6) NULL;

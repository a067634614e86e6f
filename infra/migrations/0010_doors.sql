-- One open task a cause, counted; what the hospital pushed and we could not read, kept for staff.
-- Code from before leaves the new columns alone: a task of its is one that was seen once.

ALTER TABLE staff_tasks
  MODIFY subject_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ADD COLUMN times INT NOT NULL DEFAULT 1,
  ADD COLUMN last_seen_at DATETIME(6) NULL,
  ADD KEY staff_tasks_page (state, id),
  ADD KEY staff_tasks_kinds (state, kind, created_at);

-- Rightly signed, and unreadable: the whole body is sealed (a text that can't be read may say anything).
CREATE TABLE refused_events (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  body_hash BINARY(32) NOT NULL,
  body_enc MEDIUMBLOB NOT NULL,
  fields VARCHAR(300) NOT NULL,
  received_at DATETIME(6) NOT NULL,
  taken_at DATETIME(6) NULL,
  UNIQUE KEY refused_events_once (body_hash),
  KEY refused_events_age (received_at)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

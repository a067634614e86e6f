-- Reports of laboratories and of those who look, as their systems sent them: every version is kept, one is in force.

-- key_hash: sender, source and number, which name a report for ever. code_hash, document_hash: whom it is of, as the
-- sender has it (patients.his_code_hash, patients.id_number_hash); patient_id once that one is known here.
-- owner: WAITING (nobody here yet), MATCHED, MISMATCH (the number is one person's, the name another's: never shown).
-- state: PENDING (announced, not audited), READY, CORRECTED, WITHDRAWN. shown_at: since when there was one to be seen.
CREATE TABLE reports (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  sender VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  key_hash BINARY(32) NOT NULL,
  code_hash BINARY(32) NULL,
  document_hash BINARY(32) NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  owner VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  shown_at DATETIME(6) NULL,
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  UNIQUE KEY reports_key (key_hash),
  KEY reports_patient (patient_id, id),
  KEY reports_code (code_hash, owner),
  KEY reports_document (document_hash, owner),
  CONSTRAINT reports_owner CHECK (owner IN ('WAITING', 'MATCHED', 'MISMATCH')),
  CONSTRAINT reports_state CHECK (state IN ('PENDING', 'READY', 'CORRECTED', 'WITHDRAWN'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A sending of a report, sealed whole; its files lie in COS. version_key: the sender's number of it, else its content;
-- content_hash tells whether the same number came with something else. told_at: the sender's time of it.
CREATE TABLE report_versions (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  report_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version_key BINARY(32) NOT NULL,
  content_hash BINARY(32) NOT NULL,
  status VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  came_by VARCHAR(4) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  told_at DATETIME(6) NULL,
  content_enc MEDIUMBLOB NOT NULL,
  received_at DATETIME(6) NOT NULL,
  UNIQUE KEY report_versions_once (report_id, version_key),
  CONSTRAINT report_versions_way CHECK (came_by IN ('PUSH', 'POLL'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

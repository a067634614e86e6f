-- What we gave the HIS to write down when it was asked to match a person or to make their record: a phone and a guardian
-- that somebody had typed. On its file they prove no more than that the record was made with them.
-- A row is there before the HIS is asked, goes when the record was there already, and stays when it was made, or when
-- that is not known. Both are keyed hashes. patient_id: once there is one.
CREATE TABLE given_files (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  identity_key BINARY(32) NOT NULL,
  phone_hash BINARY(32) NOT NULL,
  guardian_hash BINARY(32) NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  given_at DATETIME(6) NOT NULL,
  KEY given_files_identity (identity_key),
  KEY given_files_patient (patient_id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

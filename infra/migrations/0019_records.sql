-- record_id: which record a row leads to: its own, or (record_of) another row's. Rows with the same one are one person
-- to the HIS, each by another document; who holds the record and what is counted for it goes by this.
-- RTRIM: MariaDB keeps nothing that is made from a CHAR, which a setting may pad with blanks; there are none in ours.
ALTER TABLE patients
  ADD COLUMN record_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin AS (COALESCE(RTRIM(record_of), RTRIM(id))) STORED,
  ADD KEY patients_record (record_id);

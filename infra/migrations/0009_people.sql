-- Records that the HIS merges, doctors' spellings.

-- record_of: the patient whose record in the HIS this one's document leads to, too, since the HIS made two into one;
-- its own his_code is then only a placeholder.
ALTER TABLE patients
  ADD COLUMN record_of CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD KEY patients_record_of (record_of);

-- Patient codes of the HIS that a patient had before: printed codes and events under way still name them.
CREATE TABLE former_codes (
  code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ended_at DATETIME(6) NOT NULL,
  KEY former_codes_patient (patient_id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- spelled_by: the edition of the rules that made a doctor's spellings; older ones are made anew by the next sync.
ALTER TABLE doctors ADD COLUMN spelled_by INT NOT NULL DEFAULT 0;

-- Fifty characters of the longest syllables.
ALTER TABLE doctor_spellings
  MODIFY COLUMN spelling VARCHAR(320) CHARACTER SET ascii COLLATE ascii_bin NOT NULL;

-- No-shows (爽约): who came is the HIS's word; who missed too many visits can't book for a while.

-- attendance: NULL: not known (yet), or nobody asks (cancelled, called off).
-- bookings_attendance: code from before leaves it NULL, and NULL is in every list.
ALTER TABLE bookings
  ADD COLUMN attendance VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD CONSTRAINT bookings_attendance CHECK (attendance IN ('ATTENDED', 'ABSENT'));

-- A missed visit. is_proven: its account had proven that the record is theirs; what strangers miss in somebody's name
-- counts against strangers alone. block_id: it has led to this block, and leads to no other.
CREATE TABLE no_shows (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  booking_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  visit_date DATE NOT NULL,
  is_proven TINYINT NOT NULL,
  block_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  created_at DATETIME(6) NOT NULL,
  taken_back_at DATETIME(6) NULL,
  taken_back_by VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NULL,
  UNIQUE KEY no_shows_booking (booking_id),
  KEY no_shows_patient (patient_id, visit_date),
  KEY no_shows_block (block_id),
  CONSTRAINT no_shows_taken_back CHECK (taken_back_by IN ('HIS', 'STAFF'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- No booking for a patient (by whichever document) until ends_at. reach: ALL accounts, or those that have not proven
-- that the record is theirs. note_enc: why, in the words of staff.
CREATE TABLE booking_blocks (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  source VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reach VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  missed INT NOT NULL,
  note_enc VARBINARY(2048) NULL,
  begins_at DATETIME(6) NOT NULL,
  ends_at DATETIME(6) NOT NULL,
  lifted_at DATETIME(6) NULL,
  lifted_by VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NULL,
  KEY booking_blocks_patient (patient_id, ends_at),
  KEY booking_blocks_end (ends_at, id),
  CONSTRAINT booking_blocks_source CHECK (source IN ('RULE', 'STAFF')),
  CONSTRAINT booking_blocks_reach CHECK (reach IN ('ALL', 'UNPROVEN')),
  CONSTRAINT booking_blocks_lifted CHECK (lifted_by IN ('HIS', 'STAFF'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

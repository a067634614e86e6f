-- Departments (ours, two levels) apart from the HIS's; doctors, sessions, slots; registrations.

CREATE TABLE his_departments (
  code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  name VARCHAR(80) NOT NULL,
  parent_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  parent_name VARCHAR(80) NOT NULL,
  specialty_code VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  introduction TEXT NOT NULL,
  location VARCHAR(200) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE departments (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  parent_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  name VARCHAR(80) NOT NULL,
  introduction TEXT NOT NULL,
  location VARCHAR(200) NOT NULL,
  position INT NOT NULL,
  KEY departments_parent (parent_id, position),
  CONSTRAINT departments_parent_fk FOREIGN KEY (parent_id) REFERENCES departments (id) ON DELETE CASCADE
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE department_sources (
  department_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  his_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (department_id, his_code),
  KEY department_sources_his (his_code),
  CONSTRAINT department_sources_fk FOREIGN KEY (department_id) REFERENCES departments (id) ON DELETE CASCADE
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE doctors (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  his_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(60) NOT NULL,
  sex VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  title VARCHAR(50) NOT NULL,
  introduction TEXT NOT NULL,
  expertise TEXT NOT NULL,
  employed TINYINT NOT NULL,
  UNIQUE KEY doctors_his (his_code)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE doctor_departments (
  doctor_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  his_department VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (doctor_id, his_department),
  KEY doctor_departments_department (his_department)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Every spelling a doctor may be looked for by: full pinyin and initials, of each reading of the name.
CREATE TABLE doctor_spellings (
  spelling VARCHAR(120) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  doctor_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (spelling, doctor_id),
  KEY doctor_spellings_doctor (doctor_id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE schedules (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  his_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  his_department VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  doctor_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  visit_date DATE NOT NULL,
  period VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  fee_fen BIGINT NOT NULL,
  starts_at DATETIME(6) NOT NULL,
  ends_at DATETIME(6) NOT NULL,
  clinic_room VARCHAR(80) NOT NULL,
  state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  UNIQUE KEY schedules_his (his_code),
  KEY schedules_department_day (his_department, visit_date),
  KEY schedules_day (visit_date, his_department),
  KEY schedules_doctor_day (doctor_id, visit_date),
  CONSTRAINT schedules_doctor_fk FOREIGN KEY (doctor_id) REFERENCES doctors (id),
  CONSTRAINT schedules_state CHECK (state IN ('OPEN', 'STOPPED', 'GONE'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A slot is one place: one patient at one time. It is on sale when its session is open, the HIS has it
-- free (state OPEN), nobody holds it here (booking_id NULL) and on_sale_at has come.
CREATE TABLE slots (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  schedule_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  his_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number INT NOT NULL,
  starts_at DATETIME(6) NOT NULL,
  ends_at DATETIME(6) NOT NULL,
  state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  on_sale_at DATETIME(6) NULL,
  booking_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  changed_at DATETIME(6) NOT NULL,
  UNIQUE KEY slots_his (his_code),
  UNIQUE KEY slots_booking (booking_id),
  KEY slots_sale (schedule_id, booking_id, state, on_sale_at, starts_at),
  CONSTRAINT slots_schedule_fk FOREIGN KEY (schedule_id) REFERENCES schedules (id),
  CONSTRAINT slots_state CHECK (state IN ('OPEN', 'CLOSED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- live_flag is 1 while the registration holds a place, NULL after: the UNIQUE key over it is what
-- keeps a patient from two live registrations for one doctor and period.
CREATE TABLE bookings (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  schedule_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  slot_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  doctor_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  visit_date DATE NOT NULL,
  period VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  starts_at DATETIME(6) NOT NULL,
  fee_fen BIGINT NOT NULL,
  payment_policy VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  trade_no VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  his_locked TINYINT NOT NULL DEFAULT 0,
  expires_at DATETIME(6) NOT NULL,
  visit_number VARCHAR(20) NOT NULL DEFAULT '',
  location VARCHAR(200) NOT NULL DEFAULT '',
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  live_flag TINYINT AS (CASE WHEN state IN ('RELEASED', 'REJECTED', 'CANCELLED') THEN NULL ELSE 1 END) STORED,
  UNIQUE KEY bookings_live (patient_id, doctor_id, visit_date, period, live_flag),
  UNIQUE KEY bookings_trade (trade_no),
  KEY bookings_account (account_id, id),
  KEY bookings_schedule (schedule_id, live_flag),
  CONSTRAINT bookings_state CHECK (state IN ('HELD', 'AWAITING_PAYMENT', 'CONFIRMING', 'CONFIRMED',
    'CANCELLING', 'CANCELLED', 'RELEASED', 'REJECTED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Every step a registration took, for the patient's questions and staff's.
CREATE TABLE booking_history (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  booking_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  from_state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  to_state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  at DATETIME(6) NOT NULL,
  KEY booking_history_booking (booking_id, id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

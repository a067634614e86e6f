-- Waiting lists (候补): who waits for a place of a full session, or of any session of a doctor on a day.

-- waiting: how many people wait for it. While somebody does, its free places are kept for them: on_sale_at is so far
-- away that code from before sells none of them either.
ALTER TABLE schedules ADD COLUMN waiting INT NOT NULL DEFAULT 0;

-- Either schedule_id is set, or doctor_id and visit_date. Whoever came first has the lowest id.
-- booking_id: the registration that was offered; what became of it stands there.
CREATE TABLE waitlist (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  schedule_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  doctor_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  visit_date DATE NULL,
  state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  booking_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  created_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  live_flag TINYINT AS (CASE WHEN state = 'WAITING' THEN 1 ELSE NULL END) STORED,
  UNIQUE KEY waitlist_session_once (patient_id, schedule_id, live_flag),
  UNIQUE KEY waitlist_day_once (patient_id, doctor_id, visit_date, live_flag),
  KEY waitlist_session (schedule_id, state, id),
  KEY waitlist_day (doctor_id, visit_date, state, id),
  KEY waitlist_account (account_id, id),
  CONSTRAINT waitlist_state CHECK (state IN ('WAITING', 'OFFERED', 'LEFT', 'SKIPPED', 'ENDED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- waitlist_id: the house has made this registration for somebody who waited.
ALTER TABLE bookings ADD COLUMN waitlist_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL;

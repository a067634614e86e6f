-- The HIS moves sessions and places: what a patient was told, and that no patient has one session twice.

-- clinic_room is the room that the patient was told (NULL: unknown, of an older registration). free_cancel_until is
-- set by a change at the hospital. beside is the registration's own id when the hospital has put it next to another
-- live one of the patient, so that both keys let it be; nobody can book it so.
ALTER TABLE bookings
  ADD COLUMN clinic_room VARCHAR(80) NULL,
  ADD COLUMN free_cancel_until DATETIME(6) NULL,
  ADD COLUMN beside VARCHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';

UPDATE bookings b JOIN schedules s ON s.id = b.schedule_id SET b.clinic_room = s.clinic_room WHERE b.live_flag = 1;

-- Of two live registrations of a patient in one session, the later one stands beside the first.
UPDATE bookings b JOIN (SELECT patient_id, schedule_id, MIN(id) AS first_id FROM bookings WHERE live_flag = 1
                        GROUP BY patient_id, schedule_id HAVING COUNT(*) > 1) twice
  ON twice.patient_id = b.patient_id AND twice.schedule_id = b.schedule_id AND twice.first_id <> b.id
  SET b.beside = b.id WHERE b.live_flag = 1;

-- bookings_session: a session has one doctor, day and period, so code from before meets bookings_live first; only where
-- the session was changed under a registration could it book it twice, and that is what must not be.
ALTER TABLE bookings
  DROP KEY bookings_live,
  ADD UNIQUE KEY bookings_live (patient_id, doctor_id, visit_date, period, live_flag, beside),
  ADD UNIQUE KEY bookings_session (patient_id, schedule_id, live_flag, beside);

-- What a registration was before the hospital changed it; one row a change, in the order of their ids.
CREATE TABLE booking_changes (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  booking_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  doctor_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  visit_date DATE NOT NULL,
  period VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  starts_at DATETIME(6) NOT NULL,
  clinic_room VARCHAR(80) NULL,
  at DATETIME(6) NOT NULL,
  KEY booking_changes_booking (booking_id, id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- asked_at: when the HIS was asked for what is stored; an answer to an earlier question changes nothing any more.
-- missing_since: the HIS lists it no more since then, and that is doubted, or told already.
ALTER TABLE schedules
  ADD COLUMN asked_at DATETIME(6) NULL,
  ADD COLUMN missing_since DATETIME(6) NULL;

ALTER TABLE slots ADD COLUMN missing_since DATETIME(6) NULL;

ALTER TABLE doctors ADD COLUMN missing_since DATETIME(6) NULL;

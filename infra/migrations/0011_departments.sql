-- What the HIS lists no more, told apart from what is only doubted.

-- missing_since: the HIS lists it no more since then, and that is doubted. gone_since: that is believed.
ALTER TABLE his_departments
  ADD COLUMN missing_since DATETIME(6) NULL,
  ADD COLUMN gone_since DATETIME(6) NULL;

-- So many places of the session are listed no more since then that it is doubted.
ALTER TABLE schedules ADD COLUMN places_missing_since DATETIME(6) NULL;

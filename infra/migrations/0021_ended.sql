-- What the app has told somebody proves nothing: whether a receipt's number is of a bill that was paid here is asked.
ALTER TABLE charges
  ADD KEY charges_settlement (settlement_no);

-- made: 1: the HIS has said that it made the record with this. NULL: its answer was lost, or this was not kept yet.
ALTER TABLE given_files
  ADD COLUMN made TINYINT NULL;

-- phone_verified_at: when WeChat verified the account's number. NULL: before this was kept; it is older than any end.
ALTER TABLE accounts
  ADD COLUMN phone_verified_at DATETIME(6) NULL;

-- ended_with: the proof of the holder who ended it. NULL: another ended_by, or before this was kept.
ALTER TABLE bindings
  ADD COLUMN ended_with VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NULL;

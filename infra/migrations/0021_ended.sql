-- What the app has told somebody proves nothing: whether a receipt's number is of a bill that was paid here is asked.
ALTER TABLE charges
  ADD KEY charges_settlement (settlement_no);

-- made: 1: the HIS has said that it made the record with this. NULL: its answer was lost, or this was not kept yet.
ALTER TABLE given_files
  ADD COLUMN made TINYINT NULL;

-- What the app has told somebody proves nothing: whether a receipt's number is of a bill that was paid here is asked.
ALTER TABLE charges
  ADD KEY charges_settlement (settlement_no);

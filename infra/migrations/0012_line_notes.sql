-- What a statement's line names besides its number: the order, the transaction, or what speaks against it.
-- NULL: written by code from before, which kept only the order of a payment, at the beginning of the detail.

ALTER TABLE statement_lines
  ADD COLUMN note VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL;

-- How often who may do what: one row for each that was not fully rested lately, shared by all instances.
-- owner is a keyed hash (accounts, addresses, documents); full_at is when all that the limit allows is there again.
-- A row of the past means the same as none: housekeeping removes it.
CREATE TABLE buckets (
  name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  owner BINARY(16) NOT NULL,
  full_at DATETIME(6) NOT NULL,
  PRIMARY KEY (name, owner)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

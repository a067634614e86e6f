-- What an account does not want to be told of a visit's steps; no row: it does.

CREATE TABLE message_wishes (
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  wanted TINYINT NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  PRIMARY KEY (account_id, kind),
  CONSTRAINT message_wishes_account_fk FOREIGN KEY (account_id) REFERENCES accounts (id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

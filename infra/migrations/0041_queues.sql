-- Queues as the HIS last told them, one row each for all instances: asked_at is who has the turn to ask, told its answer.

CREATE TABLE queue_screens (
  code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  asked_at DATETIME(6) NOT NULL,
  told MEDIUMTEXT NULL,
  told_at DATETIME(6) NULL,
  KEY queue_screens_age (asked_at)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The hospital's places and what belongs to examinations, as an operator loads them: each whole, the newest in force.

CREATE TABLE place_plans (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  plan MEDIUMTEXT NOT NULL,
  loaded_at DATETIME(6) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Satisfaction: versioned sets of questions, which visits were rated, and answers that lead to nobody.

CREATE TABLE survey_forms (
  version INT NOT NULL PRIMARY KEY,
  questions TEXT NOT NULL,
  effective_at DATETIME(6) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A rated visit is a keyed hash: it keeps a second answer out, and leads neither to the first nor back to the visit.
CREATE TABLE survey_visits (
  visit_hash BINARY(32) NOT NULL PRIMARY KEY
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Ids are random, not ordered by time, and the time is a week (its Monday): beside a visit or the audit they tell nothing.
CREATE TABLE survey_answers (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  version INT NOT NULL,
  week DATE NOT NULL,
  his_department VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  doctor_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  words_enc BLOB NULL,
  words_state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  KEY survey_answers_week (week, his_department),
  CONSTRAINT survey_answers_words CHECK (words_state IN ('NONE', 'PASSED', 'REVIEW', 'UNCHECKED'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE survey_marks (
  answer_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  question VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  mark VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (answer_id, question)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT INTO survey_forms (version, questions, effective_at) VALUES (1,
 '[{"id":"overall","kind":"STARS","title":"这次就诊您总体满意吗？","required":true},{"id":"doctor","kind":"STARS","title":"医生讲解病情和用药是否清楚、耐心？","required":true},{"id":"waiting","kind":"STARS","title":"候诊时间您觉得怎么样？","required":false},{"id":"guidance","kind":"STARS","title":"院内指引和环境您觉得怎么样？","required":false},{"id":"again","kind":"CHOICE","title":"您愿意把我院推荐给亲友吗？","required":false,"options":[{"id":"yes","label":"愿意"},{"id":"maybe","label":"说不好"},{"id":"no","label":"不愿意"}]},{"id":"words","kind":"TEXT","title":"还有什么想告诉我们的？","required":false}]',
 '2026-01-01 00:00:00');

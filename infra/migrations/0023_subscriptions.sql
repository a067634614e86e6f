-- What an account last answered when WeChat asked it for leave to send messages of a template.
-- allowed: so many more it has allowed, of a template that WeChat asks for each time; WeChat's own word corrects it.
CREATE TABLE subscriptions (
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  template_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  answer VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  allowed INT NOT NULL DEFAULT 0,
  answered_at DATETIME(6) NOT NULL,
  PRIMARY KEY (account_id, template_id),
  CONSTRAINT subscriptions_answer CHECK (answer IN ('accept', 'reject', 'ban', 'filter'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

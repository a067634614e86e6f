-- Accounts (one a WeChat user), patients (one a person), who may act for whom, and consents.

CREATE TABLE accounts (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  openid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  phone_enc VARBINARY(255) NULL,
  created_at DATETIME(6) NOT NULL,
  UNIQUE KEY accounts_openid (openid)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE patients (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  his_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  card_number VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  id_type VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  id_number_enc VARBINARY(255) NOT NULL,
  id_number_hash BINARY(32) NOT NULL,
  name_enc VARBINARY(512) NOT NULL,
  sex VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  birth_date DATE NOT NULL,
  created_at DATETIME(6) NOT NULL,
  UNIQUE KEY patients_identity (id_number_hash),
  UNIQUE KEY patients_his (his_code)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE bindings (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  relation VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  phone_enc VARBINARY(255) NOT NULL,
  guardian_enc VARBINARY(1024) NULL,
  is_default TINYINT NOT NULL DEFAULT 0,
  bound_at DATETIME(6) NOT NULL,
  unbound_at DATETIME(6) NULL,
  bound_flag TINYINT AS (CASE WHEN unbound_at IS NULL THEN 1 ELSE NULL END) STORED,
  UNIQUE KEY bindings_once (account_id, patient_id, bound_flag),
  KEY bindings_patient (patient_id, bound_flag),
  CONSTRAINT bindings_account_fk FOREIGN KEY (account_id) REFERENCES accounts (id),
  CONSTRAINT bindings_patient_fk FOREIGN KEY (patient_id) REFERENCES patients (id),
  CONSTRAINT bindings_relation CHECK (relation IN ('SELF', 'SPOUSE', 'CHILD', 'PARENT', 'OTHER'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE consent_texts (
  purpose VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version INT NOT NULL,
  title VARCHAR(100) NOT NULL,
  body TEXT NOT NULL,
  effective_at DATETIME(6) NOT NULL,
  PRIMARY KEY (purpose, version)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE consents (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  patient_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  purpose VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version INT NOT NULL,
  granted_at DATETIME(6) NOT NULL,
  withdrawn_at DATETIME(6) NULL,
  live_flag TINYINT AS (CASE WHEN withdrawn_at IS NULL THEN 1 ELSE NULL END) STORED,
  UNIQUE KEY consents_live (account_id, patient_id, purpose, version, live_flag)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT INTO consent_texts (purpose, version, title, body, effective_at) VALUES
('HEALTH_DATA', 1, '就诊信息处理同意书',
 '为办理挂号、缴费、查看报告等就诊服务，我们需要处理就诊人的姓名、证件号码、手机号码及就诊信息，并与本院信息系统核对。上述信息属于敏感个人信息，仅用于为您提供本院就诊服务，加密保存于中国境内。您可随时撤回同意；撤回后将无法继续使用相关服务，但不影响撤回前已进行的处理。',
 '2026-01-01 00:00:00'),
('CHILD_GUARDIAN', 1, '未满十四周岁儿童监护人同意书',
 '就诊人未满十四周岁。作为其父母或其他监护人，您同意我们为向其提供就诊服务而处理其个人信息，并确认您所填写的监护人信息真实有效。您可随时撤回同意。',
 '2026-01-01 00:00:00');

CREATE TABLE messages (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  account_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message_key VARCHAR(96) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  data_enc VARBINARY(4096) NOT NULL,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  code VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  created_at DATETIME(6) NOT NULL,
  sent_at DATETIME(6) NULL,
  UNIQUE KEY messages_key (message_key),
  KEY messages_account (account_id, created_at),
  CONSTRAINT messages_state CHECK (state IN ('QUEUED', 'SENDING', 'SENT', 'REFUSED', 'UNCERTAIN', 'NO_TEMPLATE'))
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

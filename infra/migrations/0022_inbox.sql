-- The mini-program's own inbox: every message that is announced lies there, whether WeChat takes it or not. It is the
-- same row, so it is there exactly once, from the moment at which it was announced.

-- about: what it opens, such as registration:<id>. unread: 1 until it is read. Both NULL: from before there was an
-- inbox; such a one opens nothing and counts as read.
ALTER TABLE messages
  ADD COLUMN about VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN unread TINYINT NULL,
  ADD KEY messages_inbox (account_id, id),
  ADD KEY messages_unread (account_id, unread);

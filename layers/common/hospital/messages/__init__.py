"""Subscription messages: queued with what they announce, sent by the worker, each at most once."""

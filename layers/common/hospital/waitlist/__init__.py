"""Waiting lists (候补): who comes next when a place of a full session comes back."""

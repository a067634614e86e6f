"""Staff's side."""

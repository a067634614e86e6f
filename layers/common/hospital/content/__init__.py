"""What the hospital says of itself to anybody: its profile, and its texts by version."""

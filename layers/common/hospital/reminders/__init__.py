"""What patients are reminded of: a visit tomorrow, a bill that is not paid. Each once, whatever runs how often."""

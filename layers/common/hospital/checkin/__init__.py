"""Check-in (取号、报到): a registered patient who has arrived gets a place in the queue."""

"""Reports of laboratories and of those who look: what one is, however it was sent."""

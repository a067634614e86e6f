"""Doors, errors, log, configuration, clock, and the platform's own API."""

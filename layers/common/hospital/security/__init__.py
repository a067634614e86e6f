"""Sessions, ciphers for personal data, tokens of outside systems, limits, and the audit."""

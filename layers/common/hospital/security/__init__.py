"""Sessions, ciphers for personal data, and the audit."""

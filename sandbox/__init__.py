"""The outside world on your desk: every system the hospital's functions talk to, over real HTTP.

Nothing under ``layers/`` or ``functions/`` imports or knows this package: production code meets the
sandbox only through base URLs and keys.
"""

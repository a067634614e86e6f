"""The outside systems, one file each, and the only code that talks to them.

Yuan strings, their field names, signatures and quirks exist only here.
"""

"""The pure part: records in, changes out. No wall clock, no I/O, no randomness; the law of the system lives here."""

"""The whole loop in one process: the log is an SQLite table, the publisher a function call."""

"""The console: server-rendered pages that say what the loop does and why, each answering one question."""

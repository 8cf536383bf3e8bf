"""From shares to policies on a topic: fit, ledger of publications, ownership by turns, commands."""

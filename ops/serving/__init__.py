"""Servers wired: the loop in one process, or subscribers of a Kafka; the demo with its people inside."""

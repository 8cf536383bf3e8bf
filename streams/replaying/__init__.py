"""Recorded LOGs: written, read, replayed through kernels or stores, sent to Kafka."""

"""What happens: events become exact state. The kernel is pure; Kafka, Faust and SQLite only carry records to it and its changes away."""

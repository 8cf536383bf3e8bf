"""What happens: events become state, once. The pure kernel, its two drivers (embedded and Faust on Kafka), producers, subscribers, publisher."""

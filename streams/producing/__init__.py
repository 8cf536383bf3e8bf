"""Behind `EventProducer`: the queue, the disk that takes over in an outage, and the delivery."""

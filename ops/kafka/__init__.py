"""One Apache Kafka node (KRaft) for development and tests: POM, configuration, start and stop. `ops.broker` drives it."""

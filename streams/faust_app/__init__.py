"""The loop on Kafka: Faust assigns partitions and fetches batches, the partition store is the truth. Nothing else may import faust."""

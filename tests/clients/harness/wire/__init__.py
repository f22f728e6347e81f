"""A Kafka client made by hand, for bytes that no real client would send."""

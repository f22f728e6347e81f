"""What the client tests share: the broker process, client wrappers, a raw wire client, a look at the disk."""

"""The delivery of requests: each gets a reply, also when it is repeated, cut into pieces, late or lost."""

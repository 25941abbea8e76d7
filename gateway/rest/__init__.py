"""The REST door: the same operations, for those who would rather POST."""

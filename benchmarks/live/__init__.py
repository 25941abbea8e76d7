"""The cost of live cameras, and the sightings that the gate misses: ``python -m benchmarks.live``."""

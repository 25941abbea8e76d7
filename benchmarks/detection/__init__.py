"""The comparison of face detectors: ``python -m benchmarks.detection``."""

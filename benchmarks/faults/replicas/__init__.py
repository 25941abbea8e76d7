"""The fault bench for several gateways with one store: ``python -m benchmarks.faults --replicas 3``."""

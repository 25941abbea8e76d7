"""What happens to requests when things break: ``python -m benchmarks.faults``.

It knows the gateway by its two wires and its command line only, as any other program does.
"""

"""The fault bench: ``python -m benchmarks.faults`` tests that no request is lost when parts of the system fail.

It uses the gateway only through MQTT, REST and its command line, like any other program.
"""

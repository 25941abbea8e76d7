"""Simulated cameras for the demo, for load tests and for the tests of the gateway.

This package never imports ``gateway``: it proves that a device can rely on the documented interfaces alone.
"""

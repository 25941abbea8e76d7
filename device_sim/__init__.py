"""Simulated cameras for the demo, for load and for tests.

Never imports ``gateway``: what works here works because of the written contract, not because of shared code.
"""

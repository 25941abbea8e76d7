"""A bounded, fair queue and the worker processes that serve it."""

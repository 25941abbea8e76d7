"""The bounded, fair job queue, and the worker processes that take jobs from it."""

"""Image analysis: encoded pictures in, faces with descriptors out.

The package uses neither network nor database. It runs in the worker processes.
"""

"""JPEG bytes in, faces with descriptors out. Pure: no network, no database; runs in the worker processes."""

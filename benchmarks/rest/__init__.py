"""The benchmark of the REST interface."""

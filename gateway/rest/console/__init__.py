"""The console: the page at ``/`` for people, which uses only the documented routes."""

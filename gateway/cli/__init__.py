"""The command ``facegate``."""

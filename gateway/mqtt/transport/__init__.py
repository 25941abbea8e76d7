"""Connections to the broker: they come back by themselves, and acknowledge a message once it is answered."""

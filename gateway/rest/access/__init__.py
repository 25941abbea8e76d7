"""The callers of the REST interface: their addresses, tokens, sessions and roles."""

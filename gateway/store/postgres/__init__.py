"""The store in PostgreSQL, for several gateways with the same people. It needs the extra ``postgres``."""

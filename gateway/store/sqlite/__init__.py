"""The store in SQLite: the only place that knows SQLite."""

"""Files that the gateway reads and writes: their owner, their damage, and strict YAML."""

"""Files that the gateway reads and writes: their owner, the handling of damaged files, and strict YAML."""

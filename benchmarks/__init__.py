"""The benchmarks: one command for each figure that the documentation quotes."""

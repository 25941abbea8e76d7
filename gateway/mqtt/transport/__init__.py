"""The connection to the broker: one session after another, packets, and acknowledgements."""

"""Other programs: Home Assistant, Frigate, and cameras with topics or addresses of their own."""

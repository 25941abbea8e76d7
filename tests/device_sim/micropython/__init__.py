"""Stand-ins for what an ESP32-CAM with MicroPython has, so that its script runs here."""

"""Replacements for the modules of MicroPython on an ESP32-CAM, so that its script runs in the tests."""

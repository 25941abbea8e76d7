"""The promise that every request gets exactly one reply: repeats, uploads, and the watchdog."""

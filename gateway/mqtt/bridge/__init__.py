"""The topics of the gateway itself: commands, status, and retained messages."""

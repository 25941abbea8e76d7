"""The topics of the gateway itself: commands, status, retained messages, and the search for other gateways."""

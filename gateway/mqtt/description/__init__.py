"""The description of the MQTT interface (AsyncAPI 3), generated from the table of operations and the models."""

"""MQTT messages as typed values: bytes and topics are parsed once on the way in, and written once on the way out."""

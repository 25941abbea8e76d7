"""The REST interface: the same operations as over MQTT, for clients that prefer HTTP."""

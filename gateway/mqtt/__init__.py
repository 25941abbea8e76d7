"""The MQTT interface: requests arrive through a broker, and replies go out on topics beside them."""

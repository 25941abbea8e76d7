"""The MQTT door: messages in, replies out on the topics beside them."""

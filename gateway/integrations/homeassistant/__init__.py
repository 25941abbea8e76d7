"""Home Assistant: the devices of the gateway, of its cameras and of its people, by MQTT discovery."""

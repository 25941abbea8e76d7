"""Face recognition at the edge: JPEG frames in over MQTT or REST, names out."""

__version__ = "0.1.0"

"""The import of the folder ``known_faces/``."""

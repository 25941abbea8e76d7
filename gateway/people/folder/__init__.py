"""Import of people from the folder ``known_faces/``."""

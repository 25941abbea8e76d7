"""Enrolled people: their changes, the gallery in memory, the decision about a face, and the import of known_faces/."""

"""Enrolled people: changes, the gallery in memory, the decision whom a face shows, and the import of known_faces/."""

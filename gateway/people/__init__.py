"""Who is known: the store, the gallery in memory, the decision, and the import of known_faces/."""

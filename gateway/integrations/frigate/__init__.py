"""Frigate: its events about people become sightings, and their names are written into its events."""

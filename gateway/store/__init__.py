"""The protocols of everything that is stored on disk, and what all stores share."""

"""The documents that cross a wire: how they are read and how they are written."""

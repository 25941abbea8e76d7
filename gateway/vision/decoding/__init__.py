"""Decoders: JPEG, PNG and WebP files become upright RGB pixels, within limits of size and time."""

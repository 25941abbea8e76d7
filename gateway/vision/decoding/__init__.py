"""Encoded pictures (JPEG, PNG, WebP) become upright RGB pixels, within limits."""

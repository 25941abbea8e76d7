"""Cameras that do not push their pictures: the gateway asks them over HTTP."""

"""The confinement of a process: limits that the kernel enforces, even if hostile bytes have taken over the process.

``workers/confined.py`` applies them to a worker process. docs/design/confinement.md explains why.
"""

"""The parts of a store that are plain SQL, written once for all databases.

They use a database only by the protocols in ``database``. ``sqlite`` and ``postgres`` implement these protocols, and
put the parts together. The rules for the SQL are in the docstring of ``database``.
"""

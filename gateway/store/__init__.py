"""Everything that is stored: people, faces, unknown groups, effects, notes, the audit, and the backups of SQLite.

``protocols`` describes the parts of a store, and ``Store`` lists them. ``records`` has the values that go in and out.
Other packages see nothing else of a store. ``sqlite`` and ``postgres`` are the two stores. Most of their parts are in
``relational``: plain SQL, written once. ``sealing`` encrypts and checks the data of faces, ``snapshots`` computes the
values for the gallery, and ``limits`` has the limits. Both stores share these modules.

``gateway/people/wiring.py`` is the only place that chooses a store. The tests in ``tests/store`` run on both of them,
by the fixture ``open_store`` in ``tests/store/conftest.py``.
"""

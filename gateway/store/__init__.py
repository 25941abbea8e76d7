"""Everything that is stored on disk: people, faces, unknown groups, effects, notes, the audit and the backups.

``protocols`` describes the parts of a store, and ``Store`` lists them. ``records`` has the values that go in and out.
Other packages see nothing else of a store. ``sqlite`` is the only store today.

To add a second store, for example in PostgreSQL:

1. Create a package beside ``sqlite`` with a ``Database`` as ``relational.database`` describes one, and a class with all
   parts for ``Store``. Most parts are in ``relational``: plain SQL, written once. ``sealing`` encrypts and checks the
   data of faces, ``snapshots`` computes the values for the gallery, and ``limits`` has the limits. All stores share
   these modules.
2. Export one function ``open_store``, and call it in ``gateway/people/wiring.py``, the only place that chooses a store.
3. Add it to the fixture ``open_store`` in ``tests/store/conftest.py``. The tests in ``tests/store`` then run on it too.
"""

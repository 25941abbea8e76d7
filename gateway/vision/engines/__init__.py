"""The engines, the models that find and describe faces.

The tasks of the parent package use an engine by the protocols of ``gateway.vision.engine``. They never import this
package. To add an engine:

1. Write its ``Detector`` and its ``Embedder`` in a module here. A detector may be composed of others: a model that
   proposes regions, for example, wraps the detector that examines them.
2. Add its name to ``EngineName`` (``gateway/model``), and its entry to the table ``ENGINES`` (``registry.py``). The
   entry has the recipe of its descriptors, its model files, and the function that opens it.
3. Add new model files with their digests to ``model_files.py``.
4. Measure its curves with ``python -m benchmarks.calibration``, and name them in the entry.
"""

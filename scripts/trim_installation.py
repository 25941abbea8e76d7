"""Remove files of other packages that Facegate never loads: ``python scripts/trim_installation.py FOLDER``.

FOLDER is a virtual environment or its site-packages. `make install`, the Containerfile and `make deb` call this after
they have installed Facegate there. The script needs Python only, may be run again, and prints the size of all that it
removed. It exits with 1 if FOLDER has no installation of Facegate, so that no other environment is damaged.

The packages' lists of files (RECORD) lose these files too. So ``pip check`` finds nothing missing, and ``pip install
--upgrade`` replaces a package as usual; run the script again after that. To get the files back, reinstall the package:
``pip install --force-reinstall --no-deps openvino``.

scripts/check_wheel.py recognises a picture with an environment that was trimmed.
"""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

UNNEEDED: Mapping[str, tuple[str, ...]] = {
    # Facegate's networks run on the CPU (gateway/vision/engines). The file cache.json is the GPU's.
    "OpenVINO for other devices": (
        "openvino/libs/libopenvino_intel_gpu_plugin.so*",
        "openvino/libs/libopenvino_intel_npu_plugin.so*",
        "openvino/libs/cache.json",
    ),
    # These choose between several devices.
    "OpenVINO for several devices": (
        "openvino/libs/libopenvino_auto_batch_plugin.so*",
        "openvino/libs/libopenvino_auto_plugin.so*",
        "openvino/libs/libopenvino_hetero_plugin.so*",
    ),
    # A recogniser is an ONNX or a TensorFlow Lite file. The converted networks are OpenVINO's own form (IR). The
    # folders belong to the converter for Python objects of these frameworks, which `import openvino` may lack.
    "OpenVINO's readers of other networks": (
        *(
            f"openvino/libs/libopenvino_{name}_frontend.so*"
            for name in ("gguf", "jax", "paddle", "pytorch", "tensorflow")
        ),
        *(f"openvino/frontend/{name}" for name in ("jax", "onnx", "paddle", "pytorch", "tensorflow")),
        "openvino/tools",
        "openvino/torch",
        "../../../bin/benchmark_app",
        "../../../bin/ovc",
    ),
    "OpenVINO for C and C++ programs": (
        "openvino/libs/libopenvino_c.so*",
        "openvino/include",
        "openvino/cmake",
    ),
    "numpy's tests": (
        "numpy/**/tests",
        "numpy/_core/_*_tests.*.so",
        "numpy/random/_examples",
    ),
    # f2py makes Python modules of Fortran sources. numpy loads it and distutils only when a program names them.
    "numpy for compilers": (
        "numpy/_core/include",
        "numpy/_core/lib",
        "numpy/random/lib",
        "numpy/**/*.pxd",
        "numpy/distutils",
        "numpy/f2py",
        "../../../bin/f2py",
        "../../../bin/numpy-config",
    ),
    # rich colours the sources of programs with these. Facegate prints tables and text.
    "Pygments' languages": ("pygments/lexers/[a-z]*.py", "pygments/lexers/_*_builtins.py"),
    # Pillow works without them. Facegate refuses AVIF (docs/reference/pictures.md).
    "Pillow's AVIF": ("PIL/_avif.*.so", "pillow.libs/libavif-*"),
    # For type checkers and editors. No program loads them.
    "stubs of types": ("**/*.pyi",),
}
"""The patterns of files and folders in site-packages, by the description of their purpose."""


def main() -> None:
    """Trim the environment that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("trim_installation: expected one folder: a virtual environment, or its site-packages.")
    folder = Path(sys.argv[1])
    found = [each for each in (folder, *folder.glob("lib/python3*/site-packages")) if _has_facegate(each)]
    if len(found) != 1:
        sys.exit(f"trim_installation: Facegate is not installed in {folder}: install it first.")
    total = 0
    for purpose, freed in trim(found[0].resolve()).items():
        print(f"trim_installation: {freed / 1e6:6.1f} MB  {purpose}")
        total += freed
    print(f"trim_installation: {total / 1e6:6.1f} MB  in total")


def trim(site_packages: Path) -> dict[str, int]:
    """Remove the unneeded files. Return the number of freed bytes by purpose."""
    freed: dict[str, int] = {}
    for purpose, patterns in UNNEEDED.items():
        removed = {path for pattern in patterns for path in site_packages.glob(pattern)}
        freed[purpose] = sum(_remove(path) for path in sorted(removed))
    for record in site_packages.glob("*.dist-info/RECORD"):
        _forget_removed(record, site_packages)
    return freed


def _has_facegate(site_packages: Path) -> bool:
    return any(site_packages.glob("facegate-*.dist-info"))


def _remove(path: Path) -> int:
    """Remove a file with its bytecode, or a folder. Return the number of bytes, 0 if another pattern removed it."""
    if path.is_dir():
        size = sum(each.lstat().st_size for each in path.rglob("*"))
        shutil.rmtree(path)
        return size
    files = [path, *path.parent.glob(f"__pycache__/{path.stem}.*.pyc")] if path.suffix == ".py" else [path]
    size = 0
    for file in files:
        if file.exists():
            size += file.lstat().st_size
            file.unlink()
    return size


def _forget_removed(record: Path, site_packages: Path) -> None:
    """Remove the missing files from the package's list of files."""
    with record.open(newline="") as file:
        rows = list(csv.reader(file))
    existing = [row for row in rows if (site_packages / row[0]).exists()]
    if len(existing) == len(rows):
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(existing)
    # uv shares files with its cache by hard links: the file is replaced, so that the cache keeps the complete list.
    new = record.with_name("RECORD.new")
    new.write_text(text.getvalue())
    new.replace(record)


if __name__ == "__main__":
    main()

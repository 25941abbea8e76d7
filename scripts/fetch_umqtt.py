"""Write umqtt/simple.py of micropython-lib into a folder: ``fetch_umqtt.py VERSION FOLDER``.

PyPI has the package, but without a file that pip and uv could install it by.
"""

import hashlib
import io
import sys
import tarfile
import urllib.request
from pathlib import Path

VERSIONS = {
    "1.3.4": (
        "https://files.pythonhosted.org/packages/bd/cf/697e3418b2f44222b3e848078b1e33ee76aedca9b6c2430ca1b1aec1ce1d/"
        "micropython-umqtt.simple-1.3.4.tar.gz",
        "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f",
    )
}

version, folder = sys.argv[1:]
address, digest = VERSIONS[version]
try:
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - the address stands above
        package = answer.read()
except OSError as error:
    sys.exit(f"umqtt.simple {version} cannot be fetched from PyPI: {error}")
if hashlib.sha256(package).hexdigest() != digest:
    sys.exit(f"umqtt.simple {version} from PyPI has another content than expected: {digest}")
with tarfile.open(fileobj=io.BytesIO(package)) as archive:
    module = archive.extractfile(f"micropython-umqtt.simple-{version}/umqtt/simple.py")
    assert module is not None
    path = Path(folder) / "umqtt" / "simple.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(module.read())

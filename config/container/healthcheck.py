"""The health check of the container: the exit code is 0 if the gateway is live, or with `readyz` if it is ready.

It imports nothing of Facegate: that would cost a second of processor time on a Raspberry Pi, twice a minute.
"""

from __future__ import annotations

import os
import ssl
import sys
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

TIMEOUT_S = 8
DEFAULT_PORT = "5001"
STATES = {"healthz": "live", "readyz": "ready"}


def main() -> None:
    """Ask the gateway in this container. Exit with a message if the answer is no."""
    asked = sys.argv[1] if len(sys.argv) > 1 else "healthz"
    # Only the variables of the image and of its user are known here, not the settings of a file.
    scheme = "https" if os.environ.get("FACEGATE_REST__TLS__CERT") else "http"
    url = f"{scheme}://127.0.0.1:{os.environ.get('FACEGATE_REST__PORT', DEFAULT_PORT)}/{asked}"
    # The certificate is made for the names that clients use. This connection does not leave the container.
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    # Docker passes HTTP_PROXY of its user on. A proxy cannot reach this address.
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=anybody))
    try:
        opener.open(url, timeout=TIMEOUT_S).close()
    except OSError as error:
        sys.exit(f"the gateway at {url} is not {STATES.get(asked, asked)}: {error}")


if __name__ == "__main__":
    main()

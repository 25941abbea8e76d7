"""Look up the packages of uv.lock in the list of known vulnerabilities: ``make audit``.

The list is that of the Python package registry, which pip-audit reads. Exit code 0: no package has a known
vulnerability. 1: some have. 2: the list could not be read for every package, so nothing is certain.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venvs" / "audit"
UV = Path(sys.executable).with_name("uv")
SOURCE = "https://pypi.org/pypi/NAME/VERSION/json"


def main() -> None:
    install_pip_audit()
    packages = ENVIRONMENT / "packages.txt"
    uv("export", "--quiet", "--frozen", "--no-emit-project", "--all-extras", "--all-groups", "--output-file", packages)
    sys.exit(report(run_pip_audit(packages)))


def install_pip_audit() -> None:
    """Install pip-audit into an environment of its own, with the digests of uv.lock."""
    groups = ("--no-default-groups", "--group", "audit")
    uv("sync", "--quiet", "--frozen", "--no-build", "--no-install-project", *groups)


def run_pip_audit(packages: Path) -> Sequence[Mapping[str, Any]]:
    """Return what pip-audit found for each package. Exit with 2 if it found nothing."""
    command = [ENVIRONMENT / "bin" / "pip-audit", "--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    # The file names every package with its version and digests, so that pip has nothing to resolve.
    options = ["--require-hashes", "--disable-pip", "--requirement", packages]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    try:
        found: Sequence[Mapping[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(done.stderr.strip()[-500:], file=sys.stderr)
        print(f"audit: the list of vulnerabilities ({SOURCE}) cannot be read: nothing was checked", file=sys.stderr)
        sys.exit(2)
    return found


def report(found: Sequence[Mapping[str, Any]]) -> int:
    """Print what was found, and return the exit code."""
    skipped = [each["name"] for each in found if "skip_reason" in each]
    faults = [(each["name"], each["version"], fault) for each in found for fault in each.get("vulns", ())]
    for name, version, fault in faults:
        mended = ", ".join(fault["fix_versions"]) or "no version"
        print(f"audit: {name} {version}: {fault['id']}, mended in {mended}: run `uv lock -P {name}`")
    if skipped:
        print(
            f"audit: {len(skipped)} of {len(found)} packages are not in the list ({SOURCE}), so they were not checked:"
            f" {', '.join(sorted(skipped)[:5])}{' and others' if len(skipped) > 5 else ''}. A mirror of the registry"
            " may have no such list: run this with a connection to the registry itself.",
            file=sys.stderr,
        )
    if faults:
        return 1
    if skipped or not found:
        return 2
    print(f"audit: no known vulnerability in the {len(found)} packages of uv.lock")
    return 0


def uv(*arguments: str | Path) -> None:
    """Run uv. Exit with 2 if it fails."""
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(ENVIRONMENT)}
    if subprocess.run([UV, *arguments], cwd=ROOT, env=environment, check=False).returncode:
        print("audit: pip-audit cannot be installed, so nothing was checked; see above", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()

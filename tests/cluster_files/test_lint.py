"""The files in config/cluster, checked by the linters and schemas of the lock group lint-config."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster_files.examples import FOLDER
from tests.support import ROOT

PROGRAMS = ROOT / ".venvs" / "lint-config" / "bin"
KUBERNETES = FOLDER / "kubernetes"
KUBERNETES_VERSIONS = ("1.31", "1.37")
"""The oldest version that the manifests are written for, and the newest with a schema."""

YAMLLINT = (
    "{extends: default, rules: {line-length: disable, document-start: disable, truthy: {check-keys: false},"
    " comments: {min-spaces-from-content: 1}, braces: {max-spaces-inside: 1}}}"
)

pytestmark = [
    pytest.mark.extra,
    pytest.mark.skipif(not (PROGRAMS / "yamllint").exists(), reason="the linters are not installed: make test-all"),
]


def run(program: str, *arguments: str | Path) -> None:
    done = subprocess.run([PROGRAMS / program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_yaml_is_tidy_and_has_no_key_twice() -> None:
    run("yamllint", "--strict", "-d", YAMLLINT, FOLDER, ROOT / "compose.yaml", *(ROOT / "config").glob("*.y*ml"))


@pytest.mark.skipif(not (PROGRAMS / "check-jsonschema").exists(), reason="check-jsonschema needs Python 3.11")
@pytest.mark.parametrize("path", [FOLDER / "compose.yaml", ROOT / "compose.yaml"], ids=["cluster", "single"])
def test_compose_file_follows_the_schema_of_compose(path: Path) -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_manifests_follow_the_schemas_of_kubernetes(version: str) -> None:
    manifests = [path for path in sorted(KUBERNETES.glob("*.yaml")) if path.stem not in ("kustomization", "gateway")]
    assert len(manifests) == 6
    run("kubernetes-validate", "--strict", "--kubernetes-version", version, *manifests)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_makes_manifests_that_follow_the_schemas(tmp_path: Path) -> None:
    made = subprocess.run(["kubectl", "kustomize", KUBERNETES], capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    (tmp_path / "made.yaml").write_text(made.stdout)
    run("kubernetes-validate", "--strict", tmp_path / "made.yaml")

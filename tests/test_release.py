"""``make release``, in small repositories of real git, and a build of this one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.release_text import cut_changelog, release_notes, unreleased_entries, version_key
from tests.support import ROOT

SCRIPTS = ("release.py", "release_text.py", "bare_installation.py")
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A door bell.\n"


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository_with(folder: Path, files: Mapping[str, str]) -> Path:
    """Make a repository on the branch main, with the scripts, the source of the version and these files."""
    root = folder / "repository"
    for name, text in {"gateway/__init__.py": '"""Facegate."""\n\n__version__ = "0.1.0"\n', **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "scripts").mkdir(exist_ok=True)
    for name in SCRIPTS:
        shutil.copy(ROOT / "scripts" / name, root / "scripts")
    (root / ".gitignore").write_text("__pycache__/\n/dist/\n")
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "config", "user.name", "Tester")
    git(root, "config", "user.email", "tester@example.org")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "Begin")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository_with(tmp_path, {"CHANGELOG.md": CHANGELOG, "README.md": "pipx install facegate==0.1.0\n"})


def release(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/release.py", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def refusal(root: Path, *arguments: str) -> str:
    """Return the one sentence of a refusal, after which nothing is changed."""
    before = git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain"), git(root, "tag")
    done = release(root, *arguments)
    assert done.returncode == 1, done.stdout
    assert (git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain"), git(root, "tag")) == before
    assert done.stderr.startswith("release: "), done.stderr
    return done.stderr


def test_cut_and_tag_make_one_commit_and_one_annotated_tag(root: Path) -> None:
    for step in ("cut", "tag"):
        done = release(root, "1.0.0", "--only", step)
        assert done.returncode == 0, done.stderr
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "log", "--format=%s") == "Release 1.0.0\nBegin"
    assert git(root, "cat-file", "-t", "v1.0.0") == "tag"
    assert git(root, "tag", "--list", "--format=%(contents)") == "Facegate 1.0.0\n\n### Added\n\n- A door bell."
    assert '__version__ = "1.0.0"' in (root / "gateway" / "__init__.py").read_text()
    assert (root / "README.md").read_text() == "pipx install facegate==1.0.0\n"
    assert re.fullmatch(
        r"# Changelog\n\n## \[Unreleased\]\n\n## \[1\.0\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- A door bell\.\n",
        (root / "CHANGELOG.md").read_text(),
    )
    assert "run `git push origin main v1.0.0`. This program never does." in done.stdout


def test_release_that_was_interrupted_goes_on_where_it_was(root: Path) -> None:
    """Each step that is done is left out."""
    release(root, "1.0.0", "--only", "cut")
    head = git(root, "rev-parse", "HEAD")
    for _ in range(2):
        assert "done already" in release(root, "1.0.0", "--only", "cut").stdout
    release(root, "1.0.0", "--only", "tag")
    assert "done already: v1.0.0" in release(root, "1.0.0", "--only", "tag").stdout
    assert git(root, "rev-parse", "HEAD") == head


def test_dry_run_prints_all_steps_and_changes_nothing(root: Path) -> None:
    before = git(root, "rev-parse", "HEAD")
    done = release(root, "1.0.0", "--dry-run")
    assert done.returncode == 0, done.stderr
    steps = [line.split()[0] for line in done.stdout.splitlines()]
    assert steps[:5] == ["cut", "data", "build", "test", "tag"]
    assert (git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain"), git(root, "tag")) == (before, "", "")
    assert not (root / "dist").exists()


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0-rc1", "1.0.0.1", "latest", ""])
def test_word_that_is_no_version_is_refused(root: Path, version: str) -> None:
    assert "is no version: give MAJOR.MINOR.PATCH" in refusal(root, version)


def test_version_that_is_not_after_the_last_one_is_refused(root: Path) -> None:
    assert "0.0.9 is before 0.1.0, the version of the source" in refusal(root, "0.0.9")
    git(root, "tag", "-a", "v1.10.0", "-m", "a release")
    git(root, "commit", "--quiet", "--allow-empty", "-m", "Go on")
    for version in ("1.10.0rc1", "1.9.0"):
        assert f"{version} is not after 1.10.0, the last release" in refusal(root, version)
    assert "the tag v1.10.0 is on another commit" in refusal(root, "1.10.0")


def test_changes_that_are_not_committed_are_refused(root: Path) -> None:
    (root / "new.txt").write_text("my work")
    assert "commit or move away what is changed here first: new.txt" in refusal(root, "1.0.0")
    assert (root / "new.txt").read_text() == "my work"


def test_cut_that_was_killed_between_its_files_says_how_to_undo_it(root: Path) -> None:
    (root / "CHANGELOG.md").write_text(CHANGELOG + "- Written by the cut.\n")
    told = refusal(root, "1.0.0")
    assert "If an interrupted release left them" in told
    (command,) = re.findall(r"undo it with `([^`]+)`", told)
    subprocess.run(command.split(), cwd=root, check=True)
    assert release(root, "1.0.0", "--only", "cut").returncode == 0


def test_unfinished_data_folder_is_named(root: Path) -> None:
    release(root, "1.0.0", "--only", "cut")
    (root / "tests" / "releases" / "1.0.0").mkdir(parents=True)
    (root / "tests" / "releases" / "1.0.0" / "plain.json").write_text("{")
    assert "look at `git diff HEAD`, delete the folder tests/releases/1.0.0/, and run" in refusal(root, "1.0.0")


def test_other_branch_is_refused(root: Path) -> None:
    git(root, "switch", "--quiet", "-c", "mine")
    assert "a release is made on the branch main, and this is mine" in refusal(root, "1.0.0")
    assert release(root, "1.0.0", "--branch", "mine", "--only", "cut").returncode == 0


@pytest.mark.parametrize(
    ("changelog", "reason"),
    [
        ("# Changelog\n\n## [Unreleased]\n\n### Added\n\n## [0.1.0]\n\n- Old.\n", "has no entries below"),
        ("# Changelog\n\n- Something.\n", "must have the line ## [Unreleased] once"),
    ],
)
def test_release_without_entries_is_refused(tmp_path: Path, changelog: str, reason: str) -> None:
    assert reason in refusal(repository_with(tmp_path, {"CHANGELOG.md": changelog}), "1.0.0")


def test_cut_changelog_has_links_of_all_releases() -> None:
    address = "https://example.org/facegate"
    first = cut_changelog(CHANGELOG, "1.0.0", "2027-01-02", address, None)
    assert first.endswith(
        f"- A door bell.\n\n[Unreleased]: {address}/compare/v1.0.0...HEAD\n[1.0.0]: {address}/releases/tag/v1.0.0\n"
    )
    assert unreleased_entries(first) == ""
    assert release_notes(first, "1.0.0") == "### Added\n\n- A door bell."
    more = first.replace("## [Unreleased]\n", "## [Unreleased]\n\n- A light.\n")
    second = cut_changelog(more, "1.1.0", "2027-02-03", address, "1.0.0")
    assert second.endswith(
        f"[Unreleased]: {address}/compare/v1.1.0...HEAD\n[1.1.0]: {address}/compare/v1.0.0...v1.1.0\n"
        f"[1.0.0]: {address}/releases/tag/v1.0.0\n"
    )
    assert release_notes(second, "1.1.0") == "- A light."
    assert release_notes(second, "1.0.0") == "### Added\n\n- A door bell."


def test_versions_are_ordered_and_a_candidate_comes_before_its_release() -> None:
    mixed = ["1.0.0", "0.10.0", "1.0.1", "1.0.0rc2", "0.9.0", "1.0.0rc10"]
    assert sorted(mixed, key=version_key) == ["0.9.0", "0.10.0", "1.0.0rc2", "1.0.0rc10", "1.0.0", "1.0.1"]


def test_build_is_reproducible_and_interrupted_builds_are_made_again(tmp_path: Path) -> None:
    """A small package with the build settings of hatchling: test_wheel.py builds the real one."""
    root = repository_with(
        tmp_path,
        {
            "CHANGELOG.md": CHANGELOG,
            "pyproject.toml": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
            '[project]\nname = "facegate"\ndynamic = ["version"]\nrequires-python = ">=3.10"\n'
            '[tool.hatch.version]\npath = "gateway/__init__.py"\n'
            '[tool.hatch.build.targets.wheel]\npackages = ["gateway"]\n',
        },
    )
    release(root, "1.0.0", "--only", "cut")
    (root / "dist" / "1.0.0.new").mkdir(parents=True)
    (root / "dist" / "1.0.0.new" / "half").write_text("of an interrupted build")
    done = release(root, "1.0.0", "--only", "build")
    assert done.returncode == 0, done.stderr
    made = {path.name: path for path in (root / "dist" / "1.0.0").iterdir()}
    wheel, source = "facegate-1.0.0-py3-none-any.whl", "facegate-1.0.0.tar.gz"
    assert set(made) == {wheel, source, "SHA256SUMS", "COMMIT", "NOTES.md"}
    assert [path.name for path in (root / "dist").iterdir()] == ["1.0.0"]
    for name, path in made.items():
        assert f"{path.stat().st_size:,} bytes  {name}" in done.stdout
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=root / "dist" / "1.0.0", check=True)
    assert "done already" in release(root, "1.0.0", "--only", "build").stdout
    # A file that was changed since is not taken for the built one, and not deleted either.
    made[wheel].write_bytes(b"changed")
    assert "move it away, and run this again" in refusal(root, "1.0.0", "--only", "build")
    assert made[wheel].read_bytes() == b"changed"


def test_failed_build_shows_its_output_and_leaves_no_release(tmp_path: Path) -> None:
    root = repository_with(tmp_path, {"CHANGELOG.md": CHANGELOG, "pyproject.toml": "[project]\nname = 1\n"})
    release(root, "1.0.0", "--only", "cut")
    assert "-m hatchling build" in refusal(root, "1.0.0", "--only", "build")
    assert not (root / "dist" / "1.0.0").exists()


def test_step_test_without_a_build_is_refused(root: Path) -> None:
    """Regression: it ended with a traceback."""
    release(root, "1.0.0", "--only", "cut")
    assert "run the step build first" in refusal(root, "1.0.0", "--only", "test")
    (root / "dist" / "1.0.0").mkdir(parents=True)
    assert "run the step build first" in refusal(root, "1.0.0", "--only", "test")


def test_options_are_explained() -> None:
    done = release(ROOT, "--help")
    assert done.returncode == 0
    assert "a step that is done is left out" in done.stdout.lower()
    assert "--dry-run" in done.stdout

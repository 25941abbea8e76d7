"""Make a release: ``make release VERSION=1.2.0``, or ``.venv/bin/python scripts/release.py 1.2.0``.

The steps, in order:

cut    moves the entries below [Unreleased] in CHANGELOG.md into a dated section, writes the version, and commits
data   stores a data folder of this version for the tests of later ones (tests/releases), and commits it
build  builds the source distribution, the wheel and the app of Home Assistant from a clean clone, twice, and compares
test   installs the wheel in a bare Debian (as root, with debootstrap) or in a fresh environment, and names a person
tag    makes the annotated tag, here only. It prints the command that publishes it, and never runs that command

A step that is done is left out, so after an interruption run the same command again. Nothing is deleted or reset,
except an unfinished folder of this program below dist/.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.bare_installation import check_installation  # noqa: E402
from scripts.release_text import (  # noqa: E402
    CHANGELOG,
    DATA_FOLDERS,
    cut_changelog,
    read_version,
    release_notes,
    replace_version,
    unreleased_entries,
    version_key,
)

DIST = "dist"
SUMS = "SHA256SUMS"
HOME_ASSISTANT_APP = Path("scripts") / "home_assistant_app.py"


class Refusal(Exception):
    """A reason not to go on. The message says what to do."""


class Release:
    """One release of the repository. ``branch``: the branch that is released. ``dry``: only print the steps."""

    def __init__(self, version: str, *, branch: str, repository: str, dry: bool) -> None:
        self.version, self.tag = version, f"v{version}"
        self.folder = ROOT / DIST / version
        self._branch, self._repository, self._dry = branch, repository, dry

    def check(self) -> None:
        """Raise Refusal unless this version can be released from here."""
        try:
            key = version_key(self.version)
            present = version_key(read_version(ROOT))
            changelog = (ROOT / CHANGELOG).read_text(encoding="utf-8")
            unreleased_entries(changelog)
        except ValueError as error:
            raise Refusal(str(error)) from None
        self._check_tree()
        if (branch := git("branch", "--show-current")) != self._branch:
            raise Refusal(f"a release is made on the branch {self._branch}, and this is {branch or 'no branch'}")
        if self._is_tagged():
            return
        last = last_release()
        if last and key <= version_key(last):
            raise Refusal(f"{self.version} is not after {last}, the last release: choose a later version")
        if key < present:
            raise Refusal(f"{self.version} is before {read_version(ROOT)}, the version of the source")
        if not self._is_cut() and not unreleased_entries(changelog):
            raise Refusal(f"{CHANGELOG} has no entries below [Unreleased]: a release needs at least one")

    def _check_tree(self) -> None:
        changed = [line[3:] for line in git("status", "--porcelain", "--untracked-files=all").splitlines()]
        if not changed:
            return
        own = {str(path) for path in (*replace_version(ROOT, self.version), CHANGELOG)}
        folder = f"{DATA_FOLDERS / self.version}/"
        if all(path in own or path.startswith(folder) for path in changed):
            files = [path for path in changed if path in own]
            undo = [f"undo it with `git restore --staged --worktree {shlex.join(files)}`"] if files else []
            undo += [f"delete the folder {folder}"] if len(files) < len(changed) else []
            raise Refusal(
                f"these files are changed and not committed: {', '.join(changed)}. If an interrupted release left them,"
                f" look at `git diff HEAD`, {', '.join(undo)}, and run the same command again"
            )
        raise Refusal(f"commit or move away what is changed here first: {', '.join(changed[:10])}")

    def cut(self) -> None:
        """Write the version and the section of the CHANGELOG, and commit them."""
        if self._is_cut():
            say("cut", "done already")
            return
        texts = replace_version(ROOT, self.version)
        changelog = (ROOT / CHANGELOG).read_text(encoding="utf-8")
        date = time.strftime("%Y-%m-%d", time.gmtime())
        texts[CHANGELOG] = cut_changelog(changelog, self.version, date, self._repository, last_release())
        say("cut", f"write {self.version} into {', '.join(sorted(map(str, texts)))}, and commit")
        if self._dry:
            return
        # All texts are complete before the first file is written.
        for path, text in texts.items():
            (ROOT / path).write_text(text, encoding="utf-8")
        git("add", *map(str, texts))
        git("commit", "--quiet", "-m", f"Release {self.version}")

    def store_data_folder(self) -> None:
        """Make the data folder of this version, and commit it."""
        folder = DATA_FOLDERS / self.version
        if (ROOT / folder).is_dir():
            say("data", f"done already: {folder}")
            return
        say("data", f"run a gateway, kill it, store its data folder in {folder}, and commit that")
        if self._dry:
            return
        run([sys.executable, "-m", "tests.releases.make_data_folder"], cwd=ROOT)
        git("add", str(folder))
        git("commit", "--quiet", "-m", f"Keep a data folder of version {self.version}", "-m", "Later versions read it.")

    def build(self) -> None:
        """Build into ``dist/VERSION``: the files, SHA256SUMS and the notes of the release."""
        if self._is_built():
            say("build", f"done already: {self.folder.relative_to(ROOT)}")
            return
        if self.folder.exists():
            raise Refusal(f"{self.folder} is of another commit or was changed: move it away, and run this again")
        say("build", f"build everything twice, into {self.folder.relative_to(ROOT)}")
        if self._dry:
            return
        new = self.folder.with_name(f"{self.version}.new")
        shutil.rmtree(new, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="facegate-release-") as name:
            first, second = (build_from_clone(Path(name) / part) for part in ("first", "second"))
            if first != second:
                raise Refusal(f"two builds of one commit differ: {first} and {second}")
            shutil.copytree(Path(name) / "first" / DIST, new)
        changelog = (ROOT / CHANGELOG).read_text(encoding="utf-8")
        (new / "NOTES.md").write_text(f"{release_notes(changelog, self.version)}\n", encoding="utf-8")
        (new / "COMMIT").write_text(f"{git('rev-parse', 'HEAD')}\n")
        sums = [f"{digest(path)}  {path.name}\n" for path in sorted(new.iterdir())]
        (new / SUMS).write_text("".join(sums))
        new.rename(self.folder)

    def test(self) -> None:
        """Install the wheel without anything of this environment, and recognise a picture."""
        say("test", "install the wheel in a bare system, and name the person in a picture")
        if self._dry:
            return
        if not self._is_built():
            raise Refusal(f"there is no build of this commit in {self.folder}: run the step build first")
        (wheel,) = self.folder.glob("*.whl")
        say("test", check_installation(wheel, self.version, ROOT))

    def make_tag(self) -> None:
        """Make the annotated tag, and print the command that publishes it."""
        if self._is_tagged():
            say("tag", f"done already: {self.tag}")
        else:
            say("tag", f"make the annotated tag {self.tag}")
            if not self._dry:
                notes = release_notes((ROOT / CHANGELOG).read_text(encoding="utf-8"), self.version)
                git("tag", "--annotate", "--cleanup=verbatim", self.tag, "-m", f"Facegate {self.version}", "-m", notes)
        print(f"To publish it, run `git push origin {self._branch} {self.tag}`. This program never does.")

    def list_files(self) -> None:
        """Print what was made, with sizes."""
        if self.folder.is_dir():
            print(f"{self.folder.relative_to(ROOT)}:")
            for path in sorted(self.folder.iterdir()):
                print(f"  {path.stat().st_size:>12,} bytes  {path.name}")

    def _is_cut(self) -> bool:
        changelog = (ROOT / CHANGELOG).read_text(encoding="utf-8")
        return read_version(ROOT) == self.version and f"## [{self.version}]" in changelog

    def _is_built(self) -> bool:
        sums, commit = self.folder / SUMS, self.folder / "COMMIT"
        if not sums.is_file() or not commit.is_file() or commit.read_text().strip() != git("rev-parse", "HEAD"):
            return False
        lines = [line.split("  ", 1) for line in sums.read_text().splitlines()]
        return all((self.folder / name).is_file() and digest(self.folder / name) == known for known, name in lines)

    def _is_tagged(self) -> bool:
        if self.tag not in git("tag", "--list").splitlines():
            return False
        if git("rev-parse", f"{self.tag}^{{commit}}") != git("rev-parse", "HEAD"):
            raise Refusal(f"the tag {self.tag} is on another commit: choose a later version")
        return True


def build_from_clone(folder: Path) -> dict[str, str]:
    """Build the present commit in a clone, with its time as the time of all files. Return the digests of the files."""
    # A clone has no file that git does not know, and its path and its time differ from those of the next one.
    run(["git", "clone", "--quiet", str(ROOT), str(folder)])
    environment = {**os.environ, "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")}
    run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel"], cwd=folder, env=environment)
    if (folder / HOME_ASSISTANT_APP).is_file():
        _build_app(folder, environment)
    return {path.name: digest(path) for path in (folder / DIST).iterdir()}


def _build_app(folder: Path, environment: dict[str, str]) -> None:
    """Write the app of Home Assistant with the wheel in it, as one archive."""
    (wheel,) = (folder / DIST).glob("*.whl")
    module = ".".join(HOME_ASSISTANT_APP.with_suffix("").parts)
    app = folder.with_name(f"{folder.name}-app")
    # Python looks in the present folder first, and so in the clone.
    run([sys.executable, "-m", module, "--wheel", str(wheel), "--out", str(app)], cwd=folder, env=environment)
    archive = folder / DIST / f"facegate-home-assistant-app-{wheel.name.split('-')[1]}.tar.gz"
    same = ["--sort=name", f"--mtime=@{environment['SOURCE_DATE_EPOCH']}", "--owner=0", "--group=0", "--numeric-owner"]
    run(["tar", *same, "--mode=u+rw,go=rX", "-czf", str(archive), "-C", str(app), "."])


def last_release() -> str | None:
    """Return the version of the newest tag, None without a tag."""
    versions = []
    for tag in git("tag", "--list", "v*").splitlines():
        try:
            versions.append((version_key(tag[1:]), tag[1:]))
        except ValueError:
            continue
    return max(versions)[1] if versions else None


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def git(*arguments: str) -> str:
    """Return what git prints. Raise Refusal if it fails."""
    return run(["git", *arguments], cwd=ROOT).rstrip("\n")


def run(command: Sequence[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a program, and return its output. Raise Refusal if it fails."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode:
        raise Refusal(f"`{shlex.join(command)}` failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def say(step: str, text: str) -> None:
    """Print a line about a step."""
    print(f"{step:<6} {text}", flush=True)


def main() -> None:
    """Run all steps, or one. Exit with a sentence if one of them is refused or fails."""
    release, steps = _read_arguments()
    step = "check"
    try:
        release.check()
        for name, do in steps.items():
            step = name
            do()
        release.list_files()
    except Refusal as refused:
        sys.exit(f"release: {step}: {refused}.")
    except KeyboardInterrupt:
        sys.exit(f"release: interrupted in the step {step}: run the same command again to go on.")


def _read_arguments() -> tuple[Release, dict[str, Callable[[], None]]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="the version, such as 1.2.0, or 1.2.0rc1 for a candidate")
    parser.add_argument("--only", choices=["cut", "data", "build", "test", "tag"], help="run one step")
    parser.add_argument("--dry-run", action="store_true", help="check everything, and print the steps only")
    parser.add_argument("--branch", default="main", help="the branch that is released (main)")
    parser.add_argument("--repository", default="", help="the address of the repository, for links in the CHANGELOG")
    given = parser.parse_args()
    release = Release(given.version, branch=given.branch, repository=given.repository.rstrip("/"), dry=given.dry_run)
    steps = {
        "cut": release.cut,
        "data": release.store_data_folder,
        "build": release.build,
        "test": release.test,
        "tag": release.make_tag,
    }
    return release, steps if given.only is None else {given.only: steps[given.only]}


if __name__ == "__main__":
    main()

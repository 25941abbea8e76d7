"""The scripts of the Debian package, with the folders of the system below a folder of their own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import link_tools, write_program
from tests.support import ROOT


class System:
    """A system with systemd. Its systemctl writes down its arguments, and prints or fails as told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        for name in ("run/systemd/system", "etc/facegate", "etc/systemd/system", "opt/facegate"):
            (folder / name).mkdir(parents=True)
        self.programs = link_tools(folder / "programs", ("sh", "cat", "cut", "rm", "install"))
        write_program(self.programs / "id", "exit 0")
        self.answer('[ "$1" != is-active ] || echo active')

    def answer(self, lines: str) -> None:
        """Let systemctl do this."""
        write_program(self.programs / "systemctl", f'echo "$@" >>{self.calls}\n{lines}')

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the package, as dpkg does."""
        text = (ROOT / "config" / "deb" / script).read_text()
        for name in ("/run/", "/etc/", "/opt/"):
            text = text.replace(f" {name}", f" {self.folder}{name}").replace(f">{name}", f">{self.folder}{name}")
        command = [str(shutil.which("sh")), "-c", text, script, *arguments]
        return subprocess.run(
            command, env={"PATH": str(self.programs)}, capture_output=True, text=True, timeout=60, check=False
        )

    def do(self, script: str, *arguments: str) -> list[str]:
        """Run a script, which must succeed. Return the calls of systemctl."""
        self.calls.write_text("")
        done = self.run(script, *arguments)
        assert done.returncode == 0, done.stderr
        return self.calls.read_text().splitlines()


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(tmp_path)


@pytest.mark.parametrize("earlier", [(), ("0.1.0",)])
def test_installation_is_switched_on_also_after_a_removal(system: System, earlier: tuple[str, ...]) -> None:
    """dpkg names the earlier version if its settings are still there."""
    system.do("preinst", "install", *earlier)
    assert system.do("postinst", "configure", *earlier) == ["daemon-reload", "--no-block enable --now facegate"]
    # A second configuration, without an installation before it, starts nothing.
    assert system.do("postinst", "configure", "0.1.0") == []


@pytest.mark.parametrize("state", ["active", "activating"])
@pytest.mark.parametrize("end", [("configure", "0.1.0"), ("abort-upgrade", "0.2.0")])
def test_service_is_stopped_while_its_files_are_replaced(system: System, state: str, end: tuple[str, str]) -> None:
    system.answer(f'[ "$1" != is-active ] || echo {state}')
    assert system.do("prerm", "upgrade", "0.2.0")[-1] == "stop facegate"
    system.do("preinst", "upgrade", "0.1.0")
    assert system.do("postinst", *end) == ["daemon-reload", "--no-block start facegate"]


def test_service_is_started_after_an_update_from_a_version_that_named_no_unit(system: System) -> None:
    """Regression: `systemctl start` without a unit failed, and the service stayed off."""
    (system.folder / "run/facegate.postinst").write_text("start\n")
    assert system.do("postinst", "configure", "0.1.0") == ["daemon-reload", "--no-block start facegate"]


def test_service_that_did_not_run_is_not_started_by_an_update(system: System) -> None:
    system.answer('[ "$1" != is-active ] || { echo inactive; exit 3; }')
    system.do("prerm", "upgrade", "0.2.0")
    assert system.do("postinst", "configure", "0.1.0") == []


@pytest.mark.parametrize(("alone", "calls"), [("active", "facegate {}"), ("inactive", "{}")])
def test_replicas_of_a_cluster_are_stopped_while_their_files_are_replaced(
    system: System, alone: str, calls: str
) -> None:
    """Regression: they went on with the version of before, and started new workers from the files of the new one."""
    units = [f"facegate@{number}.service" for number in (1, 3)]
    lines = "\n".join(f"{unit} loaded active running Facegate" for unit in units)
    system.answer(f'case $1 in is-active) echo {alone} ;; list-units) echo "{lines}" ;; esac')
    names = calls.format(" ".join(units))
    assert system.do("prerm", "upgrade", "0.2.0")[-1] == f"stop {names}"
    system.do("preinst", "upgrade", "0.1.0")
    assert system.do("postinst", "configure", "0.1.0") == ["daemon-reload", f"--no-block start {names}"]
    assert system.do("prerm", "remove")[-1] == f"disable --now facegate {' '.join(units)}"


def test_masked_unit_neither_fails_the_installation_nor_the_removal(system: System) -> None:
    system.answer("echo 'Unit facegate.service is masked.' >&2; exit 1")
    (system.folder / "etc/systemd/system/facegate.service").symlink_to("/dev/null")
    system.do("preinst", "install")
    configured = system.run("postinst", "configure", "")
    assert (configured.returncode, "not everything was started" in configured.stderr) == (0, True)
    removed = system.run("prerm", "remove")
    assert (removed.returncode, "the service was not switched off" in removed.stderr) == (0, True)
    system.do("prerm", "upgrade", "0.2.0")
    system.do("postrm", "remove")


@pytest.mark.parametrize("place", ["opt/facegate/.venv", "etc/systemd/system/facegate.service"])
def test_installation_of_make_install_service_is_not_overwritten(system: System, place: str) -> None:
    (system.folder / place).touch()
    refused = system.run("preinst", "install")
    assert refused.returncode == 1
    assert "sudo rm -rf " in refused.stderr
    # An update of the package itself is not refused: an administrator may have a unit of his own.
    system.do("preinst", "upgrade", "0.1.0")

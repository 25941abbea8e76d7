"""`sudo make install-service`, below a folder of its own. scripts/check_wheel.py runs the environment that it makes."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import link_tools, write_program
from tests.support import ROOT

TOOLS = (
    *("sh", "dirname", "sed", "cat", "install", "mkdir", "readlink", "date", "rm", "cp", "mv", "ln", "grep", "xargs"),
    *("touch", "chmod", "flock"),
)

BUILD = """
[ -d "$2/bin" ] && echo kept >>"$2/state" || { mkdir -p "$2/bin"; echo new >"$2/state"; touch "$2/pyvenv.cfg"; }
[ -e "$2/bin/facegate" ] || printf '#!%s/bin/python\\n' "$2" >"$2/bin/facegate"
echo "$1 $2" >>"${0%/*}/built"
"""
"""Stands for scripts/setup.sh, which takes minutes. As real programs do, its program names its folder."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that the script uses."""
    project = tmp_path / "project"
    for name in ("scripts/install_service.sh", "config/gateway.yaml", "config/facegate.service"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    write_program(project / "scripts" / "setup.sh", BUILD)
    return project


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only folder on the PATH. Its user is root, and there is no user facegate yet."""
    programs = link_tools(tmp_path / "programs", TOOLS)
    write_program(programs / "id", 'case "$1" in -u) echo 0 ;; *) exit 1 ;; esac')
    write_program(programs / "useradd", f'echo "$@" >{tmp_path}/user')
    return programs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder below which the service is installed."""
    return tmp_path / "root"


def install(project: Path, programs: Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(programs), "ROOT": str(project.parent / "root")}
    script = project / "scripts" / "install_service.sh"
    return subprocess.run([str(script)], env=env, capture_output=True, text=True, timeout=60, umask=umask)


def installed(project: Path, programs: Path) -> Path:
    """Install, and return the environment of the service."""
    done = install(project, programs)
    assert (done.returncode, done.stderr) == (0, "")
    return (project.parent / "root/opt/facegate/.venv").resolve()


def test_service_gets_its_files_and_its_user(project: Path, programs: Path, root: Path) -> None:
    done = install(project, programs)
    assert (done.returncode, done.stderr) == (0, "")
    environment = (root / "opt/facegate/.venv").resolve()
    assert environment.parent == root / "opt/facegate/versions"
    assert (project / "scripts/built").read_text() == f"service {environment}\n"
    assert (root / "etc/systemd/system/facegate.service").read_text() == (ROOT / "config/facegate.service").read_text()
    assert (root / "etc/facegate/secrets").stat().st_mode & 0o777 == 0o600
    settings = (root / "etc/facegate/gateway.yaml").read_text().splitlines()
    assert {"data: /var/lib/facegate", "  folder: /var/lib/facegate/known_faces"} <= set(settings)
    assert (root.parent / "user").read_text().split()[-1] == "facegate"
    assert str((root / "usr/local/bin/facegate").readlink()) == "/opt/facegate/.venv/bin/facegate"
    assert "sudo systemctl enable --now facegate" in done.stdout
    assert "sudo facegate doctor --config /etc/facegate/gateway.yaml" in done.stdout


def test_files_can_be_read_by_the_service_whatever_the_umask_of_root(project: Path, programs: Path, root: Path) -> None:
    (root / "opt/facegate").mkdir(parents=True, mode=0o700)
    for _ in range(2):
        assert install(project, programs, umask=0o077).returncode == 0
    for path in ("opt/facegate", "opt/facegate/versions", "opt/facegate/.venv/bin", "etc/facegate", "usr/local/bin"):
        assert (root / path).stat().st_mode & 0o777 == 0o755, path
    for path in ("etc/facegate/gateway.yaml", "etc/systemd/system/facegate.service", "opt/facegate/.venv/state"):
        assert (root / path).stat().st_mode & 0o777 == 0o644, path


def test_second_installation_keeps_settings_and_secrets(project: Path, programs: Path, root: Path) -> None:
    install(project, programs)
    settings = root / "etc" / "facegate"
    for name in ("gateway.yaml", "secrets"):
        (settings / name).write_text("mine\n")
    (root / "etc/systemd/system/facegate.service").write_text("an older unit\n")
    installed(project, programs)
    assert [(settings / name).read_text() for name in ("gateway.yaml", "secrets")] == ["mine\n", "mine\n"]
    assert "[Service]" in (root / "etc/systemd/system/facegate.service").read_text()


def test_update_is_built_beside_the_environment_of_the_running_service(project: Path, programs: Path) -> None:
    first = installed(project, programs)
    second = installed(project, programs)
    assert first != second
    assert (first / "state").read_text() == "new\n"
    assert (first / "bin/facegate").read_text() == f"#!{first}/bin/python\n"
    # The packages of the first one were kept. Its programs were not: they would run the first one.
    assert (second / "state").read_text() == "new\nkept\n"
    assert (second / "bin/facegate").read_text() == f"#!{second}/bin/python\n"
    third = installed(project, programs)
    assert sorted(second.parent.glob("2*")) == sorted([second, third])


def test_second_run_at_the_same_time_is_refused(project: Path, programs: Path, root: Path) -> None:
    first = installed(project, programs)
    lock = os.open(first.parent, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = install(project, programs)
    finally:
        os.close(lock)
    assert done.returncode == 1
    assert "another installation is running: wait until it has ended." in done.stderr
    assert (root / "opt/facegate/.venv").resolve() == first


def test_update_that_fails_changes_nothing(project: Path, programs: Path, root: Path) -> None:
    first = installed(project, programs)
    write_program(project / "scripts" / "setup.sh", 'touch "$2/half"; exit 1')
    done = install(project, programs)
    assert done.returncode == 1
    assert "the installed version of Facegate was not changed" in done.stderr
    assert (root / "opt/facegate/.venv").resolve() == first
    assert list(first.parent.glob("2*")) == [first]
    assert not (first / "half").exists()


def test_environment_that_was_no_link_becomes_one(project: Path, programs: Path, root: Path) -> None:
    """Installations of version 0.1.0 had the environment itself there."""
    old = root / "opt/facegate/.venv"
    (old / "bin").mkdir(parents=True)
    (old / "pyvenv.cfg").touch()
    (old / "bin/facegate").write_text(f"#!{old}/bin/python\n")
    new = installed(project, programs)
    assert old.is_symlink()
    assert (new / "bin/facegate").read_text() == f"#!{new}/bin/python\n"
    installed(project, programs)
    assert not (root / "opt/facegate/versions/before").exists()


def become_interrupted(programs: Path) -> None:
    """Let the next run end before the link is replaced."""
    (programs / "mv").unlink()
    write_program(programs / "mv", f'[ "$1" = -T ] && exit 9; exec {shutil.which("mv")} "$@"')


def repair(programs: Path) -> None:
    (programs / "mv").unlink()
    (programs / "mv").symlink_to(str(shutil.which("mv")))


def test_update_that_was_interrupted_can_be_repeated(project: Path, programs: Path, root: Path) -> None:
    first = installed(project, programs)
    become_interrupted(programs)
    assert install(project, programs).returncode == 9
    assert (root / "opt/facegate/.venv").resolve() == first
    repair(programs)
    second = installed(project, programs)
    assert sorted(first.parent.iterdir()) == sorted([first, second])


def test_environment_that_an_interrupted_run_moved_away_is_kept(project: Path, programs: Path, root: Path) -> None:
    old = root / "opt/facegate/.venv"
    (old / "bin").mkdir(parents=True)
    (old / "pyvenv.cfg").touch()
    (old / "state").write_text("of 0.1.0\n")
    become_interrupted(programs)
    assert install(project, programs).returncode == 9
    assert not old.exists()
    repair(programs)
    setup = (project / "scripts" / "setup.sh").read_text()
    (project / "scripts" / "setup.sh").write_text("#!/bin/sh\nexit 1\n")
    assert install(project, programs).returncode == 1
    assert (old / "state").read_text() == "of 0.1.0\n"
    (project / "scripts" / "setup.sh").write_text(setup)
    new = installed(project, programs)
    assert (new / "state").read_text() == "of 0.1.0\nkept\n"
    assert (new.parent / "before/state").read_text() == "of 0.1.0\n"


def test_environment_of_a_link_with_a_whole_path_is_kept(project: Path, programs: Path, root: Path) -> None:
    first, _ = installed(project, programs), installed(project, programs)
    link = root / "opt/facegate/.venv"
    link.unlink()
    link.symlink_to(first)
    third = installed(project, programs)
    assert sorted(first.parent.iterdir()) == sorted([first, third])
    assert (third / "bin/facegate").read_text() == f"#!{third}/bin/python\n"


@pytest.mark.parametrize("target", ["/", "versions", "versions/missing", "versions/{}/bin", "missing/missing"])
def test_link_to_anything_but_an_environment_is_refused(project: Path, programs: Path, root: Path, target: str) -> None:
    first = installed(project, programs)
    link = root / "opt/facegate/.venv"
    link.unlink()
    link.symlink_to(target := target.format(first.name))
    done = install(project, programs)
    assert done.returncode == 1
    assert f"{link} must point to a folder in {first.parent}, but points to {target}." in done.stderr
    assert f"sudo ln -sfnT versions/NAME {link}" in done.stderr
    assert (first / "state").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to another user")
@pytest.mark.parametrize("place", ["opt/facegate", "opt/facegate/versions"])
def test_folder_of_another_user_is_refused(project: Path, programs: Path, root: Path, place: str) -> None:
    (root / "opt/facegate/versions").mkdir(parents=True)
    os.chown(root / place, 12_345, 12_345)
    done = install(project, programs)
    assert done.returncode == 1
    assert f"{root / place} belongs to another user than root" in done.stderr
    assert done.stderr.endswith(f": sudo chown -hR root: {root / place}\n")
    assert not (root.parent / "user").exists()
    os.chown(root / place, 0, 0)
    installed(project, programs)


def test_no_file_is_emptied_through_a_link_among_the_versions(project: Path, programs: Path, root: Path) -> None:
    versions = root / "opt/facegate/versions"
    versions.mkdir(parents=True)
    kept = root / "kept"
    kept.write_text("mine\n")
    for name in (".lock", "link"):
        (versions / name).symlink_to(kept)
    installed(project, programs)
    assert kept.read_text() == "mine\n"


def test_settings_that_a_full_disk_cut_off_are_written_again(project: Path, programs: Path, root: Path) -> None:
    (programs / "sed").unlink()
    write_program(programs / "sed", "echo data:; echo 'sed: no space left on device' >&2; exit 4")
    assert install(project, programs).returncode == 4
    assert not (root / "etc/facegate/gateway.yaml").exists()
    (programs / "sed").unlink()
    (programs / "sed").symlink_to(str(shutil.which("sed")))
    installed(project, programs)
    assert "data: /var/lib/facegate\n" in (root / "etc/facegate/gateway.yaml").read_text()


def test_command_of_somebody_else_is_left_alone(project: Path, programs: Path, root: Path) -> None:
    command = root / "usr/local/bin/facegate"
    write_program(command, "echo mine")
    done = install(project, programs)
    assert done.returncode == 0
    assert "is another program and was left alone: run /opt/facegate/.venv/bin/facegate instead" in done.stdout
    assert "echo mine" in command.read_text()


def test_installation_of_the_debian_package_is_not_overwritten(project: Path, programs: Path, root: Path) -> None:
    write_program(programs / "dpkg", f'[ "$*" = "-S {root}/opt/facegate/.venv" ]')
    done = install(project, programs)
    assert done.returncode == 1
    assert "the Debian package facegate is installed" in done.stderr
    assert not root.exists()


def test_user_who_is_not_root_is_told_the_command(project: Path, programs: Path, root: Path) -> None:
    write_program(programs / "id", "echo 1000")
    done = install(project, programs)
    assert done.returncode == 1
    assert "run `sudo make install-service`" in done.stderr
    assert not root.exists()

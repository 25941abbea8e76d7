"""`sudo make install-service`, below a folder of its own. scripts/check_wheel.py runs the environment that it makes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import link_tools, write_program
from tests.support import ROOT

TOOLS = ("sh", "dirname", "sed", "cat", "install", "mkdir")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that the script uses. The environment is not made here, which takes minutes."""
    project = tmp_path / "project"
    for name in ("scripts/install_service.sh", "config/gateway.yaml", "config/facegate.service"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    write_program(project / "scripts" / "setup.sh", 'echo "$@" >"$2.made"')
    return project


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only folder on the PATH. Its user is root, and there is no user facegate yet."""
    programs = link_tools(tmp_path / "programs", TOOLS)
    write_program(programs / "id", 'case "$1" in -u) echo 0 ;; *) exit 1 ;; esac')
    write_program(programs / "useradd", f'echo "$@" >{tmp_path}/user')
    return programs


def install(project: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(programs), "ROOT": str(project.parent / "root")}
    script = project / "scripts" / "install_service.sh"
    return subprocess.run([str(script)], env=env, capture_output=True, text=True, timeout=60)


def test_service_gets_its_files_and_its_user(project: Path, programs: Path, tmp_path: Path) -> None:
    done = install(project, programs)
    assert (done.returncode, done.stderr) == (0, "")
    root = tmp_path / "root"
    assert (root / "opt/facegate/.venv.made").read_text() == f"production {root}/opt/facegate/.venv\n"
    assert (root / "etc/systemd/system/facegate.service").read_text() == (ROOT / "config/facegate.service").read_text()
    assert (root / "etc/facegate/secrets").stat().st_mode & 0o777 == 0o600
    settings = (root / "etc/facegate/gateway.yaml").read_text().splitlines()
    assert {"data: /var/lib/facegate", "  folder: /var/lib/facegate/known_faces"} <= set(settings)
    assert (tmp_path / "user").read_text().split()[-1] == "facegate"
    assert "sudo systemctl enable --now facegate" in done.stdout


def test_second_installation_keeps_settings_and_secrets(project: Path, programs: Path, tmp_path: Path) -> None:
    install(project, programs)
    settings = tmp_path / "root" / "etc" / "facegate"
    for name in ("gateway.yaml", "secrets"):
        (settings / name).write_text("mine\n")
    (tmp_path / "root/etc/systemd/system/facegate.service").write_text("an older unit\n")
    done = install(project, programs)
    assert (done.returncode, done.stderr) == (0, "")
    assert [(settings / name).read_text() for name in ("gateway.yaml", "secrets")] == ["mine\n", "mine\n"]
    assert "[Service]" in (tmp_path / "root/etc/systemd/system/facegate.service").read_text()


def test_user_who_is_not_root_is_told_the_command(project: Path, programs: Path, tmp_path: Path) -> None:
    write_program(programs / "id", "echo 1000")
    done = install(project, programs)
    assert done.returncode == 1
    assert "run `sudo make install-service`" in done.stderr
    assert not (tmp_path / "root").exists()

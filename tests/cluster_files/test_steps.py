"""The steps of docs/how-to/run-several-gateways.md, in their order and with the files that they name."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.config import Settings
from gateway.people.wiring import open_store
from gateway.store.limits import PeopleLimits
from gateway.store.sqlite.tables import find_files
from tests.cluster_files.examples import FOLDER, environment_of, load_settings
from tests.store.examples import enrol, people
from tests.support import ROOT

PAGE = (ROOT / "docs" / "how-to" / "run-several-gateways.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^##+ ", PAGE, flags=re.MULTILINE)}
KEY = 43 * "A" + "="


def commands_of(section: str) -> list[str]:
    """Return the lines of the blocks for a shell."""
    blocks = re.findall(r"^```sh\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)
    return "".join(blocks).replace("\\\n", "").splitlines()


def test_no_step_starts_a_gateway_before_the_people_are_copied() -> None:
    """Regression: the copy stood behind the start, which fills the database, so that the copy was refused."""
    commands = [line for section in SECTIONS if re.match(r"\d\. ", section) for line in commands_of(section)]
    starts = [n for n, line in enumerate(commands) if re.search(r"enable --now|(re)?start facegate", line)]
    copies = [n for n, line in enumerate(commands) if "facegate store copy" in line]
    assert starts
    assert copies
    assert max(copies) < min(starts)


def test_every_file_of_the_settings_and_of_postgresql_is_made_by_a_step() -> None:
    """Regression: no step made the certificate of PostgreSQL, and none put the authority beside the settings."""
    commands = "\n".join(line for section in SECTIONS for line in commands_of(section))
    written = set(re.findall(r"(/etc/(?:facegate|postgresql)/[\w.]+)$", commands, re.MULTILINE))
    texts = [(FOLDER / name).read_text() for name in ("gateway.yaml", "postgresql/tls.conf")]
    named = {path for text in texts for path in re.findall(r"/etc/(?:facegate|postgresql)/\w+\.(?:pem|key)", text)}
    assert len(named) == 3
    assert named <= written
    for name in ("facegate.conf", "tls.conf"):
        assert re.search(
            rf"^sudo cp config/cluster/postgresql/{name} /etc/postgresql/\S+/conf\.d/$", commands, re.MULTILINE
        )


def run(section: str, config: Path, variables: dict[str, str]) -> None:
    """Run the commands of Facegate in a section, with this file of settings."""
    lines = [line for line in commands_of(section) if line.startswith("sudo facegate ")]
    assert lines
    for line in lines:
        words = shlex.split(line.replace("/etc/facegate/gateway.yaml", str(config)))[2:]
        with environment_of(variables):
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def names(settings: Settings) -> list[str]:
    with closing(open_store(settings, PeopleLimits(), may_encrypt=True)) as store:
        return [each.slug for each in people(store)]


@pytest.mark.extra
def test_people_of_a_single_gateway_come_along_and_go_back(tmp_path: Path, postgres_url: str) -> None:
    authority, data, config = (tmp_path / name for name in ("ca.pem", "data", "gateway.yaml"))
    authority.touch()
    data.mkdir()
    text = (FOLDER / "gateway.yaml").read_text()
    config.write_text(text.replace("/etc/facegate/ca.pem", str(authority)).replace("/var/lib/facegate", str(data)))
    variables = {"FACEGATE_PEOPLE__STORE": postgres_url, "FACEGATE_PEOPLE__KEY": KEY}
    single = Settings.model_validate({"data": data, "people": {"key": KEY}})
    replica = load_settings(variables, config)
    with closing(open_store(single, PeopleLimits(), may_encrypt=True)) as store:
        enrol(store, "Ada")
    run("4. The people of a single gateway", config, variables)
    assert names(replica) == ["ada"]
    with closing(open_store(replica, PeopleLimits(), may_encrypt=True)) as store:
        enrol(store, "Bob")
    # The page names the files that stand in the way of a copy.
    (tmp_path / "moved").mkdir()
    for name in re.findall(r"`([a-z]+\.(?:sqlite|key))`", SECTIONS["Back to one gateway"]):
        if (data / name).exists():
            shutil.move(data / name, tmp_path / "moved")
    assert find_files(data) == []
    run("Back to one gateway", config, variables)
    assert sorted(names(single)) == ["ada", "bob"]

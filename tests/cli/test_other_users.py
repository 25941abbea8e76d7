"""The command line for a user who may not read the data folder: the access matrix of commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from click import Command, Context, Group

from gateway.cli.main import main
from gateway.store.cipher import Cipher, make_key
from gateway.store.limits import PeopleLimits
from gateway.store.sqlite import open_store
from tests.store.examples import enrol
from tests.support import ROOT

OWNER, OTHER = 65534, 65533
PERSON = "Ada Lovelace"

WITHOUT_STORE = {
    "acl",
    "asyncapi",
    "check-config",
    # The store of replicas is a database, which asks for a password.
    "cluster",
    "completion",
    "frigate check",
    # This command ends before it opens the store: only the supervisor of Home Assistant gives it settings.
    "home-assistant-app",
    "key make",
    "openapi",
    "watch",
}
"""Commands that use only the settings and the broker. A new command that opens no store is added here."""

ARGUMENTS = {
    "backup": ["copy.sqlite"],
    "key check": ["new.key"],
    "key rotate": ["new.key"],
    "people add": ["picture.jpg", "--name", "Eve"],
    "people import": ["people.zip"],
    "people export": ["people.zip"],
    "unknowns export": ["1", "unknown.zip"],
    "tokens add": ["--name", "eve", "--role", "admin"],
    "people erase": ["ada_lovelace", "--yes"],
    "store copy": ["--to", "postgresql://user@localhost/facegate"],
}
"""The arguments of commands that need others than an id for each argument."""

CODE = """
import encodings.ascii, importlib, json, os, sys
from click.testing import CliRunner
import gateway.cli.main as cli
for lazy in cli.LAZY_COMMANDS.values():
    importlib.import_module(lazy.module)
import gateway.app, gateway.cli.checks
commands = json.loads(sys.argv[1])
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
found = {}
for name, words in commands.items():
    done = CliRunner().invoke(cli.main, words)
    found[name] = [done.exit_code, done.output + repr(done.exception)]
print(json.dumps(found))
"""
"""The code that becomes the other user, and runs all commands. It loads all modules before, since only root may read
the folder of this Python."""


def leaves(group: Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    for name in group.list_commands(Context(group)):
        command = group.get_command(Context(group), name)
        assert command is not None
        if isinstance(command, Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


def words_of(path: tuple[str, ...], command: Command) -> list[str]:
    given = ARGUMENTS.get(" ".join(path))
    arguments = [each for each in command.params if each.param_type_name == "argument" and each.required]
    usual = ["old.sqlite" if isinstance(each.type, click.Path) else "1" for each in arguments]
    return [*path, *(usual if given is None else given)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a data folder of another user. pytest's own folders are closed to the user of the commands."""
    with tempfile.TemporaryDirectory(prefix="facegate-other-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        data = folder / "data"
        data.mkdir(mode=0o700)
        with closing(open_store(data, Cipher(None), PeopleLimits())) as store:
            enrol(store, PERSON)
        for path in (data, *data.iterdir()):
            os.chown(path, OWNER, OWNER)
        for file in ("old.sqlite", "picture.jpg", "people.zip", "new.key"):
            (folder / file).write_text(make_key())
            (folder / file).chmod(0o666)
        yield folder


def content(data: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_no_command_serves_a_user_who_may_not_read_the_store(folder: Path) -> None:
    assert isinstance(main, Group)
    commands = {" ".join(path): words_of(path, command) for path, command in leaves(main)}
    with_store = {name: words for name, words in commands.items() if name not in WITHOUT_STORE}
    before = content(folder / "data")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "FACEGATE_DATA": str(folder / "data")}
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(with_store), str(OTHER)],
        env=env,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout)
    assert len(found) >= 35
    assert {name for name, (code, _) in found.items() if code == 0} == set()
    refused = {name for name, (_, output) in found.items() if "belongs to the user" in output}
    assert refused == with_store.keys(), {name: found[name] for name in with_store.keys() - refused}
    assert not [name for name, (_, output) in found.items() if PERSON in output]
    assert content(folder / "data") == before

"""The setting people.store: a name, or an address that is a secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.main import main
from gateway.config import Settings, load
from gateway.errors import ConfigError

URL = "postgresql://facegate:S3cret@10.0.0.5/facegate"


@pytest.fixture(autouse=True)
def _remove_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.upper().startswith("FACEGATE_")]:
        monkeypatch.delenv(variable)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(f"data: {tmp_path}\npeople: {{store: '{URL}'}}\n")
    return path


def test_store_is_sqlite_by_default() -> None:
    settings = Settings()
    assert settings.people.postgres_url is None
    assert settings.model_dump(mode="json")["people"]["store"] == "sqlite"


def test_address_is_never_shown(config: Path) -> None:
    assert load(config).people.postgres_url == URL
    assert "S3cret" not in repr(load(config))
    done = CliRunner().invoke(main, ["check-config", "--config", str(config)])
    assert (done.exit_code, "S3cret" in done.output) == (0, False)
    assert "store: postgresql://**********" in done.stdout


def test_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_PEOPLE__STORE", URL)
    assert load().people.postgres_url == URL


@pytest.mark.parametrize("value", ["mysql://ada:S3cret@host/db", "S3cret", "''", "5", "[postgresql]", "{a: S3cret}"])
def test_other_store_is_refused_without_showing_it(tmp_path: Path, value: str) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(f"people: {{store: {value}}}\n")
    with pytest.raises(ConfigError, match=r"people\.store") as refused:
        load(path)
    assert "S3cret" not in str(refused.value)


def test_cluster_needs_a_store_that_replicas_can_share(tmp_path: Path, config: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("cluster: {name: site}\n")
    with pytest.raises(ConfigError, match=r"cluster\.name needs a store that all replicas share"):
        load(path)
    config.write_text(f"{config.read_text()}cluster: {{name: site}}\n")
    assert load(config).cluster.name == "site"


def test_search_in_the_database_needs_a_database(tmp_path: Path, config: Path) -> None:
    path = tmp_path / "gallery.yaml"
    path.write_text("gallery: {in_memory: 100000}\n")
    with pytest.raises(ConfigError, match=r"gallery\.in_memory needs people in PostgreSQL .*people\.store is sqlite"):
        load(path)
    config.write_text(f"{config.read_text()}gallery: {{in_memory: 0}}\n")
    assert load(config).gallery.in_memory == 0


@pytest.mark.parametrize("key", ["key: abc", "key_file: master.key"])
def test_search_in_the_database_needs_vectors_that_are_not_encrypted(tmp_path: Path, key: str) -> None:
    path = tmp_path / "gallery.yaml"
    path.write_text(f"people: {{store: '{URL}', {key}}}\ngallery: {{in_memory: 100000}}\n")
    name = key.partition(":")[0]
    with pytest.raises(ConfigError, match=rf"not encrypted, .*people\.{name} is set: remove gallery\.in_memory"):
        load(path)


def test_replica_with_an_old_version_of_mqtt_is_refused(tmp_path: Path) -> None:
    """Regression: the setting was accepted and ignored."""
    path = tmp_path / "gateway.yaml"
    text = "cluster: {name: site}\npeople: {store: 'postgresql://db.lan/facegate'}\nmqtt: {protocol: '%s'}\n"
    path.write_text(text % "3.1.1")
    with pytest.raises(ConfigError, match=r'cluster\.name needs MQTT 5.* set mqtt\.protocol to "5" or auto'):
        load(path)
    path.write_text(text % "5")
    assert load(path).cluster.name == "site"

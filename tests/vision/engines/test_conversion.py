from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from gateway.vision.engines import conversion as converted
from gateway.vision.engines import model_files
from gateway.vision.engines.conversion import DIGESTS_FILE, convert, converted_models_folder, damaged_files
from gateway.vision.engines.networks import open_detector, open_embedder

FILES = ["descriptor", "detector-f32", "detector-int8"]
NAMES = [f"{name}.{kind}" for name in FILES for kind in ("bin", "xml")]


@pytest.fixture
def folder(tmp_path: Path, models: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(models, tmp_path / "models" / models.name))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def weights(folder: Path) -> dict[str, str]:
    return {name: digest for name, digest in contents(folder).items() if name.endswith(".bin")}


def sound(folder: Path, models: Path) -> bool:
    """Converted, with nothing beside it."""
    return (
        not damaged_files(folder)
        and contents(folder).keys() == contents(models).keys()
        and weights(folder) == weights(models)
    )


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_networks_are_converted_into_a_folder_of_their_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Which tells how far it is, on standard error alone."""
    folder = converted_models_folder(tmp_path / "data")
    convert(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*NAMES, DIGESTS_FILE])
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, "lock"}
    assert damaged_files(folder) == []
    told = capfd.readouterr()
    assert told.out == ""
    assert [line.split(", ")[-1] for line in told.err.splitlines()[:3]] == [
        "detector-int8",
        "detector-f32",
        "descriptor",
    ]
    assert str(folder) in told.err


def test_the_digests_are_those_of_the_files(models: Path) -> None:
    found = contents(models)
    found.pop(DIGESTS_FILE)
    assert json.loads((models / DIGESTS_FILE).read_text()) == found


def test_what_is_converted_again_is_the_same(tmp_path: Path, models: Path) -> None:
    """But for the names of the operations, which OpenVINO numbers through."""
    convert(tmp_path / "again")
    assert weights(tmp_path / "again") == weights(models)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_a_byte_changed_anywhere_is_noticed_and_its_file_named(folder: Path, name: str, where: float) -> None:
    path = folder / name
    flip(path, round(where * (path.stat().st_size - 1)))
    assert damaged_files(folder) == [name]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_off_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    assert damaged_files(folder) == [name]


def test_all_that_is_damaged_is_named(folder: Path) -> None:
    for name in NAMES[:3]:
        flip(folder / name, 0)
    assert sorted(damaged_files(folder)) == NAMES[:3]


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_noticed(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert damaged_files(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert damaged_files(folder) == [name]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", '"x"', '["descriptor.bin"]', '{"a": 1}', '{"\\u0000": ""}', "\x00", "[" * 100_000],
)
def test_digests_that_are_none_are_noticed(folder: Path, text: str) -> None:
    (folder / DIGESTS_FILE).write_text(text)
    assert damaged_files(folder)


@pytest.mark.parametrize("names", [[], NAMES[:-1]])
def test_digests_that_name_too_few_files_are_noticed(folder: Path, names: list[str]) -> None:
    digests = json.loads((folder / DIGESTS_FILE).read_text())
    (folder / DIGESTS_FILE).write_text(json.dumps({name: digests[name] for name in names}))
    assert damaged_files(folder)


def test_digests_that_are_no_text_are_noticed(folder: Path) -> None:
    (folder / DIGESTS_FILE).write_bytes(b"\xff\xfe\x00{}")
    assert damaged_files(folder) == [DIGESTS_FILE]
    (folder / DIGESTS_FILE).unlink()
    assert damaged_files(folder) == [DIGESTS_FILE]
    (folder / DIGESTS_FILE).mkdir()
    assert damaged_files(folder) == [DIGESTS_FILE]


def test_where_nothing_is_everything_is_missing(tmp_path: Path) -> None:
    assert damaged_files(tmp_path / "missing") == [DIGESTS_FILE]
    (tmp_path / "a file").touch()
    assert damaged_files(tmp_path / "a file") == [DIGESTS_FILE]


def test_what_is_damaged_is_replaced(folder: Path, models: Path) -> None:
    flip(folder / "descriptor.bin", 1000)
    (folder / "detector-f32.xml").unlink()
    (folder / "something else").touch()
    convert(folder)
    assert sound(folder, models)


def test_what_an_interrupted_conversion_left_does_no_harm(tmp_path: Path, models: Path) -> None:
    """It had not got its name yet, and is thrown away."""
    folder = converted_models_folder(tmp_path)
    left = folder.with_suffix(".new")
    left.mkdir(parents=True)
    (left / "descriptor.bin").write_bytes(b"half of it")
    (left / "something else").touch()
    assert damaged_files(folder) == [DIGESTS_FILE]
    convert(folder)
    assert sound(folder, models)
    assert not left.exists()


def test_files_and_links_in_the_place_of_folders_are_replaced(tmp_path: Path, models: Path) -> None:
    """Regression: what was not a folder stayed, and no start could convert the models."""
    folder = converted_models_folder(tmp_path)
    folder.parent.mkdir()
    folder.write_text("a file")
    folder.with_suffix(".new").symlink_to(models)
    convert(folder)
    assert sound(folder, models)
    assert models.is_dir()


@pytest.mark.parametrize("name", ["", "lock"])
def test_what_cannot_be_replaced_is_one_sentence(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file instead of the folder of all models, a folder instead of their lock."""
    folder = converted_models_folder(tmp_path)
    if name:
        (folder.parent / name).mkdir(parents=True)
    else:
        folder.parent.touch()
    monkeypatch.setattr("sys.argv", ["converted", str(folder)])
    with pytest.raises(SystemExit, match=rf"the models cannot be converted: .*{folder.parent / name}"):
        converted.main()


def test_the_folder_goes_by_the_weights_and_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = converted_models_folder(tmp_path)
    assert before.parent == tmp_path / "models"
    assert converted_models_folder(tmp_path) == before
    monkeypatch.setattr(converted, "CONVERTER_VERSION", converted.CONVERTER_VERSION + 1)
    raised = converted_models_folder(tmp_path)
    monkeypatch.setitem(model_files.MODEL_FILES, "descriptor", ("other.dat", 64 * "0"))
    assert len({before, raised, converted_models_folder(tmp_path)}) == 3


def test_what_was_converted_opens(models: Path) -> None:
    open_detector(models, "auto")
    open_embedder(models, "auto")

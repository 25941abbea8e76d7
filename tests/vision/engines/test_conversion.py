from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from gateway.vision.engines import conversion, model_files
from gateway.vision.engines.conversion import DIGESTS_FILE, convert, converted_models_folder, damaged_files
from gateway.vision.engines.networks import open_detector, open_embedder

GRAPH_FILES = ["descriptor-f32", "descriptor-int8", "detector-f32", "detector-int8", "proposer-f32"]
FILE_NAMES = [f"{name}.{kind}" for name in GRAPH_FILES for kind in ("bin", "xml")]


@pytest.fixture
def folder(tmp_path: Path, models: Path) -> Path:
    """Return a copy of the converted models. A test may damage it."""
    return Path(shutil.copytree(models, tmp_path / "models" / models.name))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def weights(folder: Path) -> dict[str, str]:
    return {name: digest for name, digest in contents(folder).items() if name.endswith(".bin")}


def is_intact(folder: Path, models: Path) -> bool:
    """Return whether the models are converted, with no other files beside them."""
    return (
        not damaged_files(folder)
        and contents(folder).keys() == contents(models).keys()
        and weights(folder) == weights(models)
    )


def flip_byte(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_convert_writes_the_networks_into_their_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The progress is printed on standard error only."""
    folder = converted_models_folder(tmp_path / "data")
    convert(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILE_NAMES, DIGESTS_FILE])
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, "lock"}
    assert damaged_files(folder) == []
    told = capfd.readouterr()
    assert told.out == ""
    assert [line.split(", ")[-1] for line in told.err.splitlines()[:4]] == [
        "detector-int8",
        "detector-f32",
        "descriptor-int8",
        "descriptor-f32",
    ]
    assert str(folder) in told.err


def test_digests_match_the_converted_files(models: Path) -> None:
    found = contents(models)
    found.pop(DIGESTS_FILE)
    assert json.loads((models / DIGESTS_FILE).read_text()) == found


def test_second_conversion_writes_the_same_weights(tmp_path: Path, models: Path) -> None:
    """Only the names of the operations differ, because OpenVINO numbers them."""
    convert(tmp_path / "again")
    assert weights(tmp_path / "again") == weights(models)


@pytest.mark.parametrize("name", FILE_NAMES)
@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_damaged_files_names_a_file_with_a_changed_byte(folder: Path, name: str, where: float) -> None:
    path = folder / name
    flip_byte(path, round(where * (path.stat().st_size - 1)))
    assert damaged_files(folder) == [name]


@pytest.mark.parametrize("name", FILE_NAMES)
def test_damaged_files_names_a_truncated_file(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    assert damaged_files(folder) == [name]


def test_damaged_files_names_all_damaged_files(folder: Path) -> None:
    for name in FILE_NAMES[:3]:
        flip_byte(folder / name, 0)
    assert sorted(damaged_files(folder)) == FILE_NAMES[:3]


@pytest.mark.parametrize("name", FILE_NAMES)
def test_damaged_files_notices_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert damaged_files(folder)


@pytest.mark.parametrize("name", FILE_NAMES)
def test_damaged_files_names_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert damaged_files(folder) == [name]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", '"x"', '["descriptor-f32.bin"]', '{"a": 1}', '{"\\u0000": ""}', "\x00", "[" * 100_000],
)
def test_damaged_files_notices_invalid_digests(folder: Path, text: str) -> None:
    (folder / DIGESTS_FILE).write_text(text)
    assert damaged_files(folder)


@pytest.mark.parametrize("names", [[], FILE_NAMES[:-1]])
def test_damaged_files_notices_missing_digests(folder: Path, names: list[str]) -> None:
    digests = json.loads((folder / DIGESTS_FILE).read_text())
    (folder / DIGESTS_FILE).write_text(json.dumps({name: digests[name] for name in names}))
    assert damaged_files(folder)


def test_damaged_files_notices_digests_that_are_no_text(folder: Path) -> None:
    (folder / DIGESTS_FILE).write_bytes(b"\xff\xfe\x00{}")
    assert damaged_files(folder) == [DIGESTS_FILE]
    (folder / DIGESTS_FILE).unlink()
    assert damaged_files(folder) == [DIGESTS_FILE]
    (folder / DIGESTS_FILE).mkdir()
    assert damaged_files(folder) == [DIGESTS_FILE]


def test_damaged_files_of_a_missing_folder(tmp_path: Path) -> None:
    assert damaged_files(tmp_path / "missing") == [DIGESTS_FILE]
    (tmp_path / "a file").touch()
    assert damaged_files(tmp_path / "a file") == [DIGESTS_FILE]


def test_convert_replaces_damaged_files(folder: Path, models: Path) -> None:
    flip_byte(folder / "descriptor-f32.bin", 1000)
    (folder / "detector-f32.xml").unlink()
    (folder / "something else").touch()
    convert(folder)
    assert is_intact(folder, models)


def test_convert_removes_files_of_an_interrupted_conversion(tmp_path: Path, models: Path) -> None:
    """The unfinished folder has another name, and is removed."""
    folder = converted_models_folder(tmp_path)
    left = folder.with_suffix(".new")
    left.mkdir(parents=True)
    (left / "descriptor-f32.bin").write_bytes(b"half of it")
    (left / "something else").touch()
    assert damaged_files(folder) == [DIGESTS_FILE]
    convert(folder)
    assert is_intact(folder, models)
    assert not left.exists()


def test_convert_replaces_files_and_links_in_place_of_folders(tmp_path: Path, models: Path) -> None:
    """Regression: a file in place of a folder was not removed, and the models could not be converted."""
    folder = converted_models_folder(tmp_path)
    folder.parent.mkdir()
    folder.write_text("a file")
    folder.with_suffix(".new").symlink_to(models)
    convert(folder)
    assert is_intact(folder, models)
    assert models.is_dir()


@pytest.mark.parametrize("name", ["", "lock"])
def test_failed_conversion_prints_one_sentence(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a file in place of the folder of all models, or a folder in place of their lock."""
    folder = converted_models_folder(tmp_path)
    if name:
        (folder.parent / name).mkdir(parents=True)
    else:
        folder.parent.touch()
    monkeypatch.setattr("sys.argv", ["converted", str(folder)])
    with pytest.raises(SystemExit, match=rf"the models cannot be converted: .*{folder.parent / name}"):
        conversion.main()


def test_folder_name_depends_on_the_weights_and_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = converted_models_folder(tmp_path)
    assert before.parent == tmp_path / "models"
    assert converted_models_folder(tmp_path) == before
    monkeypatch.setattr(conversion, "CONVERTER_VERSION", conversion.CONVERTER_VERSION + 1)
    raised = converted_models_folder(tmp_path)
    monkeypatch.setitem(
        model_files.MODEL_FILES, "descriptor", model_files.ModelFile(model_files.DLIB_MODELS, "other.dat", 64 * "0")
    )
    assert len({before, raised, converted_models_folder(tmp_path)}) == 3


def test_converted_models_can_be_opened(models: Path) -> None:
    open_detector(models, "auto")
    open_embedder(models, "auto")

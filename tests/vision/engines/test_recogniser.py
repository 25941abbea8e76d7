"""A recogniser of the user's own: its description, its recipe, and the network in a worker process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.config import Settings
from gateway.errors import ConfigError, GatewayError, StartError
from gateway.model import AnalyseTask, PictureLimits
from gateway.model.recipes import dimensions_of
from gateway.vision.analyse import analyse, redescribe
from gateway.vision.engine import Engine
from gateway.vision.engines import recogniser
from gateway.vision.engines.model_files import model_file
from gateway.vision.engines.options import EngineOptions, RecogniserOptions
from gateway.vision.engines.recogniser import recipe_of, recogniser_of
from gateway.vision.engines.registry import ENGINES, open_engine
from gateway.vision.windows import window_for
from tests.onnx_files import OnnxWriter, write_dlib_onnx
from tests.support import frame

SHEET = {
    "name": "a network", "licence": "none", "dimensions": 64, "input": 112, "alignment": "arcface", "colour": "rgb",
    "mean": 127.5, "scale": 128,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recognisers")


def write_sheet(network: Path, **changes: object) -> Settings:
    """Write a description beside a network, and return settings that name the network."""
    fields = {name: value for name, value in {**SHEET, **changes}.items() if value is not None}
    network.with_suffix(".yaml").write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
    return Settings(recogniser=network)


def options(settings: Settings) -> RecogniserOptions:
    found = recogniser_of(settings)
    assert found is not None
    return found


def opened(settings: Settings, models: Path) -> Engine:
    return open_engine(EngineOptions("facegate", models, descriptor="f32", recogniser=recogniser_of(settings)))


def described(engine: Engine, name: str = "obama_1") -> np.ndarray:
    found = analyse(frame(name), engine, AnalyseTask(), PictureLimits()).faces[0].descriptor
    assert found is not None
    return found


@pytest.fixture(scope="module")
def dlib(folder: Path, models: Path) -> Engine:
    """dlib's own network, opened from an ONNX file."""
    write_dlib_onnx(folder / "dlib.onnx")
    return opened(Settings(recogniser=folder / "dlib.onnx"), models)


def test_dlib_s_network_as_onnx_gives_the_same_descriptors(dlib: Engine, models: Path) -> None:
    own = open_engine(EngineOptions("facegate", models, descriptor="f32"))
    for name in ("obama_1", "biden_2"):
        assert described(dlib, name) @ described(own, name) == pytest.approx(1, abs=1e-4)


def test_descriptor_from_stored_chips_is_nearly_the_same(dlib: Engine) -> None:
    wanted = AnalyseTask(descriptors="enrolment", chips=True)
    face = analyse(frame("obama_1"), dlib, wanted, PictureLimits()).faces[0]
    assert face.chips is not None
    assert face.descriptor is not None
    again = redescribe(face.chips, dlib).faces[0].descriptor
    assert again is not None
    assert face.descriptor @ again > 0.999


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_network_of_other_dimensions_tells_people_apart(folder: Path, models: Path, batch: int | str) -> None:
    write_dlib_onnx(folder / "short.onnx", 64, batch)
    engine = opened(Settings(recogniser=folder / "short.onnx"), models)
    one, same, other = (described(engine, name) for name in ("obama_1", "obama_2", "biden_2"))
    assert one.shape == (64,)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert one @ same > one @ other + 0.05


def mean_colours(path: Path, *, channels_last: bool = False) -> Path:
    """Write a network that returns the mean of each colour of its picture."""
    writer = OnnxWriter()
    output = writer.node("ReduceMean", "x", axes=[1, 2] if channels_last else [2, 3], keepdims=0)
    path.write_bytes(writer.model((1, 32, 32, 3) if channels_last else (1, 3, 32, 32), output, (1, 3)))
    return path


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_network_gets_its_order_of_colours_and_scale(
    tmp_path: Path, models: Path, colour: str, channels_last: bool
) -> None:
    network = mean_colours(tmp_path / "mean.onnx", channels_last=channels_last)
    settings = write_sheet(network, dimensions=3, input=32, colour=colour, mean="[10, 20, 30]", scale="[1, 2, 4]")
    picture = np.empty((1, 32, 32, 3), np.uint8)
    picture[:] = (50, 60, 70)
    (found,) = opened(settings, models).embedder.embed([picture])
    colours = (50, 60, 70) if colour == "rgb" else (70, 60, 50)
    wanted = (np.array(colours) - (10, 20, 30)) / (1, 2, 4)
    assert found == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)


def test_descriptor_of_other_length_than_described_is_refused(tmp_path: Path, models: Path) -> None:
    settings = write_sheet(mean_colours(tmp_path / "mean.onnx"), dimensions=4, input=32)
    with pytest.raises(StartError, match=r"mean\.onnx returns 3 numbers a face, but .* dimensions: 4"):
        opened(settings, models)


@pytest.mark.parametrize("content", [b"", b"no network" * 50])
def test_file_that_is_no_network_is_refused_by_name(tmp_path: Path, models: Path, content: bytes) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(StartError, match=r"bad\.onnx cannot be used by OpenVINO: .+"):
        opened(write_sheet(tmp_path / "bad.onnx"), models)


def write_network(path: Path, kind: str, shape: tuple[int, ...] | None, *inputs: str) -> Settings:
    """Write a network of one node, and settings that name it. The node's inputs are x by default."""
    writer = OnnxWriter()
    given = inputs or ("x",) if shape else (writer.constant(np.ones((1, 3), np.float32)),)
    path.write_bytes(writer.model(shape, writer.node(kind, *given), shape or (1, 3)))
    return write_sheet(path, dimensions=3 * 32 * 32, input=32)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (None, "must have one input of four dimensions; found: none"),
        ((1, 3), r"must have one input of four dimensions; found: \[1,3\]"),
        ((0, 3, 32, 32), "takes 0 pictures at once; expected 1 to 32"),
        ((1_000_000, 3, 32, 32), "takes 1000000 pictures at once; expected 1 to 32"),
    ],
)
def test_input_of_another_form_is_refused(
    tmp_path: Path, models: Path, shape: tuple[int, ...] | None, message: str
) -> None:
    with pytest.raises(StartError, match=rf"^The recogniser .*n\.onnx {message}\.?$"):
        opened(write_network(tmp_path / "n.onnx", "Relu", shape), models)


def test_output_that_does_not_fit_the_number_of_pictures_is_refused(tmp_path: Path, models: Path) -> None:
    """Regression: the command ended with a traceback."""
    writer = OnnxWriter()
    output = writer.node("ReduceMean", "x", axes=[0, 2, 3], keepdims=0)
    (tmp_path / "n.onnx").write_bytes(writer.model((2, 3, 32, 32), output, (3,)))
    with pytest.raises(StartError, match=r"n\.onnx cannot be used by OpenVINO: .+"):
        opened(write_sheet(tmp_path / "n.onnx", dimensions=3, input=32), models)


# The logarithm of a negative number is undefined.
@pytest.mark.parametrize(("kind", "inputs"), [("Log", ["x"]), ("Sub", ["x", "x"])])
def test_network_that_returns_no_direction_is_refused(
    tmp_path: Path, models: Path, kind: str, inputs: list[str]
) -> None:
    settings = write_network(tmp_path / "n.onnx", kind, (1, 3, 32, 32), *inputs)
    with pytest.raises(StartError, match="returns zeros, infinite or undefined numbers for a trial picture"):
        opened(settings, models)


def test_face_without_a_direction_gets_no_descriptor(tmp_path: Path, models: Path) -> None:
    """Regression: its descriptor was enrolled, and the store could not be read again."""
    engine = opened(write_sheet(mean_colours(tmp_path / "n.onnx"), dimensions=3, input=32, mean=100), models)
    with pytest.raises(GatewayError, match="no usable descriptor"):
        engine.embedder.embed([np.full((1, 32, 32, 3), 100, np.uint8)])


def test_network_that_changes_after_its_recipe_is_known_is_refused(tmp_path: Path, models: Path) -> None:
    """Regression: a worker process that started later used the new network with the recipe of the old one."""
    settings = write_sheet(mean_colours(tmp_path / "n.onnx"), dimensions=3, input=32)
    given = options(settings)
    mean_colours(tmp_path / "n.onnx", channels_last=True)
    with pytest.raises(StartError, match=r"n\.onnx changed while the gateway ran"):
        open_engine(EngineOptions("facegate", models, recogniser=given))


def test_network_for_tensorflow_lite_can_be_used(tmp_path: Path, models: Path) -> None:
    network = tmp_path / "mesh.tflite"
    network.write_bytes(model_file("face_mesh").read_bytes())
    engine = opened(write_sheet(network, dimensions=1404, input=192), models)
    assert described(engine).shape == (1404,)


@pytest.mark.parametrize("name", ["n.xml", "n.pdmodel", "n"])
def test_network_of_several_files_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"one of two files")
    with pytest.raises(ConfigError, match=rf"{name} cannot be used: expected one \.onnx or \.tflite file"):
        recogniser_of(write_sheet(tmp_path / name))


# The limit of a block of the file may lie within the place that names the other file.
@pytest.mark.parametrize("block_bytes", [1 << 20, 16, 15])
def test_weights_in_another_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    """Regression: the recipe did not depend on them."""
    monkeypatch.setattr(recogniser, "_BLOCK_BYTES", block_bytes)
    for location in ("w.bin", "long" * 50):
        path, writer = tmp_path / f"{location}.onnx", OnnxWriter()
        weights = writer.constant(np.ones(3, np.float32), location)
        path.write_bytes(writer.model((1, 3, 32, 32), writer.node("Mul", "x", weights), (1, 3, 32, 32)))
        with pytest.raises(ConfigError, match=r"\.onnx keeps weights in another file: export the network as one file"):
            recogniser_of(write_sheet(path))


def test_recipe_depends_on_everything_that_changes_a_descriptor(tmp_path: Path) -> None:
    network = tmp_path / "n.onnx"
    network.write_bytes(b"one")
    recipes = [recipe_of(write_sheet(network, **change)) for change in (
        {}, {"dimensions": 65}, {"input": 128}, {"alignment": "dlib"}, {"colour": "bgr"}, {"mean": 0}, {"scale": 1},
    )]  # fmt: skip
    network.write_bytes(b"other")
    recipes.append(recipe_of(write_sheet(network)))
    assert len(set(recipes)) == len(recipes)
    assert dimensions_of(recipes[1]) == 65
    # Texts for people do not change a descriptor.
    assert recipe_of(write_sheet(network, name="renamed", licence="MIT")) == recipes[-1]
    assert recipe_of(Settings()) == ENGINES["facegate"].recipe


def test_one_number_stands_for_three_colours(tmp_path: Path) -> None:
    (tmp_path / "n.onnx").write_bytes(b"one")
    found = options(write_sheet(tmp_path / "n.onnx", mean="[1, 2, 3]"))
    assert (found.mean, found.scale) == ((1, 2, 3), (128, 128, 128))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimensions": 1}, r"n\.yaml\) cannot be used: dimensions: expected at least 2, found 1"),
        ({"dimensions": "many"}, r"dimensions: expected a whole number, found 'many'"),
        ({"input": 1000}, r"input: expected at most 512, found 1000"),
        ({"colour": "red"}, r"colour: expected 'rgb' or 'bgr', found 'red'"),
        ({"alignment": "eyes"}, r"alignment: expected 'dlib' or 'arcface', found 'eyes'"),
        ({"scale": 0.0001}, r"scale\.0: expected at least 0\.001, found 0\.0001"),
        ({"mean": "[1, 2]"}, r"mean: expected at least 3 entries, found 2"),
        ({"padding": 0.5}, r"padding: expected at most 0\.4, found 0\.5"),
        ({"licence": None}, r"licence: this key is missing: add it"),
        ({"size": 3}, r"size: unknown setting: check its spelling"),
    ],
)
def test_error_in_the_description_names_file_and_key(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        recogniser_of(write_sheet(tmp_path / "n.onnx", **change))


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"n\.onnx needs its description in .*n\.yaml, which is missing"):
        recogniser_of(Settings(recogniser=tmp_path / "n.onnx"))
    with pytest.raises(ConfigError, match=r"recogniser: .*n\.onnx cannot be read: No such file"):
        recogniser_of(write_sheet(tmp_path / "n.onnx"))


def test_recogniser_needs_the_engine_facegate(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="recogniser needs engine: facegate, but engine is dlib-hog"):
        Settings(recogniser=tmp_path / "n.onnx", engine="dlib-hog")


def test_arcface_window_grows_with_the_input() -> None:
    small, large = window_for("arcface", 112, 0.25), window_for("arcface", 224, 0.25)
    assert replace(large, side=112, chip_side=150, left=18, top=3) == small
    assert (large.side, large.chip_side, large.left, large.top) == (224, 300, 36, 6)

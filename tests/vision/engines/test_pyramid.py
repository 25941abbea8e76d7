from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.canvas_packing import (
    CANVAS_STEP_PX,
    EDGE_PX,
    GAP_PX,
    MAX_CANVAS_PIXELS,
    MAX_CANVAS_WIDTH_PX,
    Tile,
)
from gateway.vision.engines.pyramid import (
    BACKGROUND_RGB,
    FIRST_CENTRE_PX,
    LEVEL_RATIO,
    MAX_LEVEL_PIXELS,
    MIN_LEVEL_SIDE_PX,
    SCORE_STRIDE_PX,
    STRIP_OVERLAP_PX,
    WINDOW_PX,
    PyramidLayout,
    halve,
    plan_pyramid,
    resize,
)

SIZES = [
    (853, 480, 56),
    (640, 480, 80),
    (1920, 1080, 40),
    (1920, 1080, 500),
    (641, 359, 63.7),
    (80, 80, 80),
    (1001, 4003, 40),
    (5000, 5000, 40),
    (6000, 4000, 40),
    (2500, 10_000, 20),
    (34, 34, 56),
    (24, 5000, 40),
    (5000, 24, 40),
    (40, 65_500, 40),
    (65_500, 40, 40),
    (65_500, 380, 40),
]
"""Width, height and smallest face."""

LARGE = [(5000, 5000, 130), (3000, 3000, 40), (4003, 1001, 47), (40_000, 300, 60), (4096, 2160, 77), (2311, 3713, 67)]
"""The first level of pictures of these sizes is cut into strips."""

Planned = tuple[int, int, float, PyramidLayout]
"""Width, height, smallest face, and the layout for them."""


@pytest.fixture(scope="module", params=SIZES, ids=str)
def planned_layout(request: pytest.FixtureRequest) -> Planned:
    width, height, min_face = request.param
    return width, height, min_face, plan_pyramid(width, height, min_face)


def has_gap(a: Tile, b: Tile, gap: int) -> bool:
    """Return whether there are at least ``gap`` pixels between the tiles, across or down."""
    across = a.x + a.width + gap <= b.x or b.x + b.width + gap <= a.x
    return across or a.y + a.height + gap <= b.y or b.y + b.height + gap <= a.y


def test_tiles_are_inside_their_canvas_and_away_from_its_edge(planned_layout: Planned) -> None:
    layout = planned_layout[3]
    for tile in layout.tiles:
        width, height = layout.canvases[tile.canvas]
        assert EDGE_PX <= tile.x <= width - EDGE_PX - tile.width
        assert EDGE_PX <= tile.y <= height - EDGE_PX - tile.height


def test_tiles_have_a_gap_between_them(planned_layout: Planned) -> None:
    for a, b in itertools.combinations(planned_layout[3].tiles, 2):
        assert a.canvas != b.canvas or has_gap(a, b, GAP_PX)


def test_levels_cover_faces_from_the_smallest_to_the_picture_size(
    planned_layout: Planned,
) -> None:
    """A face is found up to a fifth larger than the window. A further level would be below MIN_LEVEL_SIDE_PX."""
    width, height, min_face, layout = planned_layout
    scale = WINDOW_PX / max(min_face, WINDOW_PX * (width * height / MAX_LEVEL_PIXELS) ** 0.5)
    for level in layout.levels:
        assert level == (max(1, round(width * scale)), max(1, round(height * scale)))
        scale *= LEVEL_RATIO
    assert min(width, height) * scale < MIN_LEVEL_SIDE_PX
    assert len(layout.levels) == 1 or min(width, height) * scale / LEVEL_RATIO >= MIN_LEVEL_SIDE_PX


def test_every_column_of_a_level_is_in_a_tile(planned_layout: Planned) -> None:
    layout = planned_layout[3]
    for number, (width, height) in enumerate(layout.levels):
        tiles = [tile for tile in layout.tiles if tile.level == number]
        assert all(tile.height == height for tile in tiles)
        assert {x for tile in tiles for x in range(tile.left, tile.left + tile.width)} == set(range(width))


def test_canvas_sizes_are_multiples_of_the_step_and_limited(
    planned_layout: Planned,
) -> None:
    """A strip is never narrower than two overlaps, and a canvas is never quite full."""
    for width, height in planned_layout[3].canvases:
        assert width % CANVAS_STEP_PX == height % CANVAS_STEP_PX == 0
        assert width <= MAX_CANVAS_WIDTH_PX
        assert width * height < 1.2 * MAX_CANVAS_PIXELS or width <= 2 * STRIP_OVERLAP_PX + 2 * EDGE_PX + CANVAS_STEP_PX


def test_usual_camera_pictures_need_one_canvas() -> None:
    for width, height in ((640, 480), (853, 480), (1280, 720)):
        (canvas,) = plan_pyramid(width, height, 56).canvases
        assert canvas[0] * canvas[1] < 2.6 * (WINDOW_PX / 56) ** 2 * width * height


def test_levels_do_not_exceed_the_largest_size() -> None:
    for width, height, min_face in SIZES:
        level = plan_pyramid(width, height, min_face).levels[0]
        assert level[0] * level[1] < 1.01 * MAX_LEVEL_PIXELS


def test_smallest_face_grows_in_a_large_picture() -> None:
    """The smallest face grows if the first level would exceed MAX_LEVEL_PIXELS."""
    for width, height, asked in ((1920, 1080, 40), (640, 480, 17.5), (5000, 5000, 127)):
        assert plan_pyramid(width, height, asked).levels[0] == (round(width * 80 / asked), round(height * 80 / asked))
    assert plan_pyramid(5000, 5000, 40).levels == plan_pyramid(5000, 5000, 126.49).levels


def test_levels_end_at_the_largest_face() -> None:
    """In the last level faces of that size are at most a fifth too large or too small."""
    for largest in (40, 56, 100, 200, 400):
        levels = plan_pyramid(1920, 1080, 40, largest).levels
        assert WINDOW_PX * 1080 / levels[-1][1] >= largest * 5 / 6
        assert len(levels) == 1 or WINDOW_PX * 1080 / levels[-2][1] < largest
    assert plan_pyramid(1920, 1080, 40, 10_000).levels == plan_pyramid(1920, 1080, 40).levels


def test_plan_pyramid_is_deterministic() -> None:
    for width, height, min_face in SIZES[:7]:
        one, other = (plan_pyramid(width, height, min_face) for _ in range(2))
        assert (one.levels, one.tiles, one.canvases) == (other.levels, other.tiles, other.canvases)
        assert all((a == b).all() for a, b in zip(one.owners, other.owners, strict=True))


@pytest.mark.parametrize(("width", "height", "min_face"), LARGE)
def test_strips_overlap_by_the_size_of_a_face(width: int, height: int, min_face: float) -> None:
    layout = plan_pyramid(width, height, min_face)
    strips = [tile for tile in layout.tiles if tile.level == 0]
    assert len(strips) > 1
    for one, after in itertools.pairwise(strips):
        assert one.left + one.width - after.left >= max(STRIP_OVERLAP_PX, 2 * WINDOW_PX)


def test_window_near_the_border_counts_in_one_strip_only() -> None:
    layout = plan_pyramid(3000, 3000, 40)
    for number, tile in enumerate(layout.tiles):
        if tile.level == 0:
            scores = (layout.owners[tile.canvas] == number).astype(np.float32)
            middles = [(left + right) / 2 for _, (left, _, right, _) in layout.boxes(tile.canvas, scores, 0.5)]
            columns = (np.array(middles) + 0.5) * tile.scale[0] - 0.5 - tile.left
            assert columns.min() >= (tile.left and STRIP_OVERLAP_PX / 2)
            assert columns.max() < (STRIP_OVERLAP_PX / 2 if tile.left else np.inf) + tile.width
            assert tile.left + tile.width == 3162 or columns.max() < tile.width - STRIP_OVERLAP_PX / 2


@pytest.mark.parametrize(("width", "height", "min_face"), LARGE)
def test_every_centre_counts_in_exactly_one_strip(width: int, height: int, min_face: float) -> None:
    """Each centre has at least half a window of the picture around it, except at the edge of the picture."""
    layout = plan_pyramid(width, height, min_face)
    strips = [tile for tile in layout.tiles if tile.level == 0]
    for column in np.arange(-20, layout.levels[0][0] + 20, 0.5).tolist():
        (owner,) = [tile for tile in strips if tile.first <= column - tile.left < tile.end]
        assert owner.left == 0 or column - owner.left >= STRIP_OVERLAP_PX / 2
        assert owner is strips[-1] or owner.left + owner.width - column >= STRIP_OVERLAP_PX / 2


def test_place_belongs_to_the_tile_under_it_or_the_nearest_one(
    planned_layout: Planned,
) -> None:
    layout = planned_layout[3]
    places = np.random.default_rng(1).random((200, 3))
    for number, across, down in places:
        canvas = int(number * len(layout.canvases))
        rows, columns = layout.owners[canvas].shape
        row, column = int(down * rows), int(across * columns)
        x, y = SCORE_STRIDE_PX * column + FIRST_CENTRE_PX, SCORE_STRIDE_PX * row + FIRST_CENTRE_PX
        away = {
            tile: max(tile.x - x, 0, x - tile.x - tile.width + 1) ** 2
            + max(tile.y - y, 0, y - tile.y - tile.height + 1) ** 2
            for tile in layout.tiles
            if tile.canvas == canvas
        }
        assert away[layout.tiles[layout.owners[canvas][row, column]]] == min(away.values())


def test_every_place_of_a_score_map_has_an_owner(planned_layout: Planned) -> None:
    layout = planned_layout[3]
    assert len(layout.owners) == len(layout.canvases)
    for (width, height), owners in zip(layout.canvases, layout.owners, strict=True):
        assert owners.shape == (height // SCORE_STRIDE_PX, width // SCORE_STRIDE_PX)


def blank(width: int, height: int) -> Picture:
    return np.full((height, width, 3), BACKGROUND_RGB, np.uint8)


def test_draw_changes_only_the_tiles() -> None:
    layout = plan_pyramid(853, 480, 56)
    (canvas,) = layout.draw(np.zeros((480, 853, 3), np.uint8))
    black = np.zeros(canvas.shape[:2], bool)
    for tile in layout.tiles:
        black[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] = True
    assert (canvas[black] == 0).all()
    assert (canvas[~black] == BACKGROUND_RGB).all()


def test_draw_scales_each_level_from_the_one_before() -> None:
    layout = plan_pyramid(853, 480, 56)
    level = np.random.default_rng(1).integers(0, 256, (480, 853, 3), np.uint8)
    (canvas,) = layout.draw(level)
    for tile in layout.tiles:
        level = resize(level, layout.levels[tile.level])
        assert (canvas[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] == level).all()


def test_draw_changes_neither_the_picture_nor_the_layout() -> None:
    """The layout and its canvases are reused for the next picture, which must not show parts of this one."""
    layout = plan_pyramid(200, 150, 56)
    noise = np.random.default_rng(1).integers(0, 256, (150, 200, 3), np.uint8)
    noise.flags.writeable = False
    first = layout.draw(noise)
    layout.draw(blank(200, 150))
    assert all((a == b).all() for a, b in zip(first, layout.draw(noise), strict=True))


@pytest.mark.parametrize(
    ("width", "height", "min_face"),
    [(853, 480, 56), (641, 359, 63.7), (2500, 2500, 40), (300, 6000, 80), (4000, 90, 40)],
)
def test_windows_are_mapped_back_to_their_place_in_the_picture(width: int, height: int, min_face: float) -> None:
    """A white square is found at its place on every level, within one pixel of the level."""
    layout = plan_pyramid(width, height, min_face)
    side = 81
    for left, top in ((width // 3, height - side), (width - side - 40, height // 4), (20, height // 2)):
        top = min(top, height - side)
        picture = blank(width, height)
        picture[top : top + side, left : left + side] = 255
        middle = np.array([left, top]) + (side - 1) / 2
        drawn = layout.draw(picture)
        seen = set()
        for tile in layout.tiles:
            start, end = np.array([left, left + side]) * tile.scale[0] - tile.left
            counts = tile.first + SCORE_STRIDE_PX <= (start + end) / 2 < tile.end - SCORE_STRIDE_PX
            if start < 0 or end > tile.width + 0.01 or not counts:
                # The square is on another strip.
                continue
            seen.add(tile.level)
            part = drawn[tile.canvas][tile.y : tile.y + tile.height, tile.x : tile.x + tile.width, 0]
            down, across = (np.abs(part.astype(np.int32) - BACKGROUND_RGB[0]).sum(axis=axis) for axis in (1, 0))
            at = np.array([np.average(np.arange(len(light)), weights=light) for light in (across, down)])
            assert np.abs((map_back(layout, tile, at) - middle) * tile.scale).max() < 1
        assert seen == set(range(len(layout.levels)))


def map_back(layout: PyramidLayout, tile: Tile, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centre of the window around a pixel of a tile, in pixels of the picture."""
    corner = np.array([tile.x, tile.y])
    column, row = np.round((corner + at - FIRST_CENTRE_PX) / SCORE_STRIDE_PX).astype(int)
    scores = np.zeros(layout.owners[tile.canvas].shape, np.float32)
    scores[row, column] = 1
    ((_, (left, top, right, bottom)),) = layout.boxes(tile.canvas, scores, 0.5)
    assert right - left == pytest.approx((WINDOW_PX - 1) / tile.scale[0])
    off = corner + at - (FIRST_CENTRE_PX + SCORE_STRIDE_PX * np.array([column, row]))
    middle: NDArray[np.float64] = np.array([left + right, top + bottom]) / 2 + off / tile.scale
    return middle


@pytest.mark.parametrize("size", [(24, 24), (24, 5000), (5000, 24), (65_500, 40), (40, 65_500), (6000, 4000)])
def test_draw_accepts_pictures_of_any_shape(size: tuple[int, int]) -> None:
    width, height = size
    layout = plan_pyramid(width, height, 40)
    for drawn, (across, down) in zip(layout.draw(np.zeros((height, width, 3), np.uint8)), layout.canvases, strict=True):
        assert drawn.shape == (down, across, 3)
        assert (drawn == 0).any()


@pytest.mark.parametrize("size", [(1, 1), (23, 23), (1, 25_000_000), (25_000_000, 1), (20, 1_250_000)])
def test_picture_narrower_than_any_face_has_no_canvas(size: tuple[int, int]) -> None:
    """Regression: a PNG of 9 kB, one pixel high and millions wide, made canvases of hundreds of megapixels."""
    layout = plan_pyramid(*size, 40)
    assert (layout.levels, layout.tiles, layout.canvases) == ((), (), ())


@pytest.mark.parametrize("size", [(520_000, 48), (48, 520_000), (5000, 5000), (1_000_000, 25)])
def test_memory_hardly_depends_on_the_shape_of_the_picture(size: tuple[int, int]) -> None:
    """The pictures have 25 megapixels, the default limit, in different shapes."""
    canvases = plan_pyramid(*size, 20).canvases
    assert sum(width * height for width, height in canvases) < 4 * MAX_LEVEL_PIXELS


def test_windows_are_returned_above_the_threshold_only() -> None:
    layout = plan_pyramid(640, 480, 80)
    scores = np.zeros(layout.owners[0].shape, np.float32)
    scores[10, 10], scores[20, 20] = 0.5, 0.25
    assert [score for score, _ in layout.boxes(0, scores, 0.25)] == [0.5]
    assert [score for score, _ in layout.boxes(0, scores, 0.2)] == [0.5, 0.25]


@pytest.mark.parametrize("scale", [0.9, 0.5, 0.2])
def test_resize_keeps_places(scale: float) -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[100:200, 200:300] = 200
    small = resize(picture, (round(400 * scale), round(300 * scale)))
    assert small.shape == (round(300 * scale), round(400 * scale), 3)
    y, x = np.nonzero(small[..., 0] > 100)
    assert (x.mean() + 0.5) / scale == pytest.approx(250, abs=0.5 / scale)
    assert (y.mean() + 0.5) / scale == pytest.approx(150, abs=0.5 / scale)


@pytest.mark.parametrize(("size", "half"), [((6, 8), (3, 4)), ((7, 9), (3, 4)), ((1, 5), (1, 2)), ((1, 1), (1, 1))])
def test_half_of_a_picture_has_the_mean_of_each_four_pixels(size: tuple[int, int], half: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    halved = halve(picture)
    assert halved.shape == (*half, 3)
    if min(size) > 1:
        assert halved[0, 0].tolist() == pytest.approx(picture[:2, :2].mean(axis=(0, 1)).tolist(), abs=1)

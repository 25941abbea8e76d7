from __future__ import annotations

import pytest

from gateway.model.recipes import dimensions_of, recogniser_recipe
from gateway.vision.engines.registry import ENGINES

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize("dimensions", [1, 64, 512, 4096])
def test_recipe_of_a_recogniser_names_its_dimensions(dimensions: int) -> None:
    recipe = recogniser_recipe(DIGEST, dimensions)
    assert dimensions_of(recipe) == dimensions
    # The longest recipe that an archive accepts.
    assert len(recipe) <= 64


def test_recipe_depends_on_the_digest() -> None:
    assert recogniser_recipe(DIGEST, 64) != recogniser_recipe("f" + DIGEST[1:], 64)


@pytest.mark.parametrize("recipe", [entry.recipe for entry in ENGINES.values()])
def test_descriptors_of_dlib_have_128_dimensions(recipe: str) -> None:
    assert dimensions_of(recipe) == 128


@pytest.mark.parametrize(
    "recipe", ["", "recogniser", "recogniser/0/64", f"recogniser/{DIGEST[:32]}/0", f"recogniser/{DIGEST[:32]}/64 "]
)
def test_recipe_of_another_form_has_128_dimensions(recipe: str) -> None:
    assert dimensions_of(recipe) == 128

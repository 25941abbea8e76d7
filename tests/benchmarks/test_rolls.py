from __future__ import annotations

from typing import Any

import pytest

from benchmarks.rolls import lying


def result(same: int, named: int) -> dict[str, Any]:
    """Return figures of 46 people, 1,035 pairs, of whom 40 are named upright, and ``named`` at each other angle."""
    turned = {str(angle): {"same": same, "known_named": named} for angle in (90, 180, 270)}
    return {"people": 46, "0": {"same": 0, "known_named": 40}, **turned}


@pytest.mark.parametrize(("same", "named", "kept"), [(5, 32, True), (6, 32, False), (5, 31, False)])
def test_lying_faces_are_compared_with_the_promises(same: int, named: int, kept: bool) -> None:
    compared = lying(result(same, named))
    assert compared["kept"] is kept
    assert compared["named_share"]["180"] == named / 40
    assert compared["same_of_1000"]["90"] == pytest.approx(1000 * same / 1035, abs=0.05)


def test_one_angle_with_too_few_names_breaks_the_promise() -> None:
    figures = result(0, 40)
    figures["180"]["known_named"] = 0
    assert not lying(figures)["kept"]

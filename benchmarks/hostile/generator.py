"""The generator of inputs: each can be made again from the seed and its number."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from benchmarks.hostile.http_inputs import HttpInputs
from benchmarks.hostile.inputs import Input
from benchmarks.hostile.login_inputs import LoginInputs
from benchmarks.hostile.mqtt_inputs import MqttInputs
from benchmarks.hostile.retained_inputs import RetainedInputs

Maker = Callable[[int, random.Random], Input]


class Generator:
    """The endless inputs of a seed. ``pictures``: small pictures that are mutated."""

    def __init__(self, seed: int, pictures: Sequence[bytes]) -> None:
        self._seed = seed
        mqtt, http = MqttInputs(pictures), HttpInputs(pictures)
        logins, retained = LoginInputs(pictures), RetainedInputs(pictures)
        # Random bytes prove little: most inputs are valid up to the place where they hurt.
        self._shares: Sequence[tuple[Maker, int]] = (
            (mqtt.mutated_picture, 16),
            (http.mutated_picture, 14),
            (mqtt.hostile_options, 11),
            (http.hostile_fields, 8),
            (mqtt.command, 12),
            (http.operation, 14),
            (mqtt.frame, 6),
            (mqtt.mutated_payload, 6),
            (http.mutated_body, 6),
            (mqtt.topic, 4),
            (http.raw, 3),
            (logins.header, 5),
            (logins.body, 1),
            (retained.request, 1),
            (retained.state, 2),
        )

    def make(self, number: int) -> Input:
        """Return the input with this number."""
        rng = random.Random(f"{self._seed}/{number}")
        makers, shares = zip(*self._shares, strict=True)
        maker: Maker = rng.choices(makers, shares)[0]
        return maker(number, rng)

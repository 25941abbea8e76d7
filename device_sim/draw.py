"""The command ``python -m device_sim.draw PICTURE``: ask the gateway over REST, and draw the answer on the picture."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import click
from PIL import Image, ImageDraw, ImageFont

COLOUR = (255, 214, 10)
# A proxy cannot reach the gateway at 127.0.0.1, so none is used.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PATH = click.Path(exists=True, dir_okay=False, path_type=Path)


def ask(url: str, picture: bytes) -> Mapping[str, Any]:
    """Return the gateway's answer with landmarks and location. Raises ClickException with the gateway's error."""
    body = json.dumps({"file_format": "jpg", "image_data": base64.b64encode(picture).decode()}).encode()
    request = urllib.request.Request(  # noqa: S310 - the user chooses the gateway
        f"{url}/face_rec?facial_features=true&face_locations=true", body, {"Content-Type": "application/json"}
    )
    try:
        with OPENER.open(request, timeout=60) as response:
            answer: Mapping[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise click.ClickException(json.load(error)["detail"]) from None
    except OSError as error:
        raise click.ClickException(f"No gateway answers at {url}: {error}.") from None


def draw(picture: bytes, answer: Mapping[str, Any]) -> Image.Image:
    """Draw a line through each group of landmarks, and a box with the name. Only a single face has them."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    pen = ImageDraw.Draw(image)
    for points in answer["facial_features"].values():
        pen.line([(x, y) for x, y in points], fill=COLOUR, width=2)
    if answer["face_locations"]:
        _box(pen, answer["face_locations"], answer["name"])
    return image


def _box(pen: ImageDraw.ImageDraw, location: Sequence[int], name: str) -> None:
    top, right, bottom, left = location
    font = ImageFont.load_default(20)
    pen.rectangle((left, top, right, bottom), outline=COLOUR, width=3)
    label = pen.textbbox((left + 6, bottom + 4), name, font)
    pen.rectangle((left, bottom, max(label[2] + 6, right), label[3] + 6), fill=COLOUR)
    pen.text((left + 6, bottom + 4), name, (0, 0, 0), font)


@click.command(help=__doc__)
@click.argument("picture", type=PATH)
@click.option("--url", default="http://127.0.0.1:5001", show_default=True, help="URL of the gateway.")
@click.option("-o", "--output", default="drawn.jpg", show_default=True, help="File for the drawn picture.")
def main(picture: Path, url: str, output: str) -> None:
    data = picture.read_bytes()
    answer = ask(url, data)
    try:
        draw(data, answer).save(output, quality=88)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{output} cannot be written: {error}.") from None
    note = "" if answer["face_locations"] else " (nothing is drawn: the picture does not have exactly one face)"
    click.echo(f"{answer['name']}: {output}{note}")


if __name__ == "__main__":
    main()

"""Pictures that are reduced while they are decoded, and their results in pixels of the picture as it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.model import Box, FaceMark, FoundFace, Image, Landmarks, Mounting, PictureLimits
from gateway.vision.align import make_upright
from gateway.vision.decoding.decode import Picture, decode_with_size


@dataclass(frozen=True, slots=True, eq=False)
class ScaledPicture:
    """A picture to analyse. ``pixels``: upright, perhaps reduced. ``image``: its size as it was sent."""

    pixels: Picture
    image: Image

    @property
    def scale(self) -> float:
        """Pixels of the sent picture for each pixel of ``pixels``, across and down: 1 if it was not reduced."""
        return self.image.width / int(self.pixels.shape[1])

    def in_sent_pixels(self, face: FoundFace) -> FoundFace:
        """Return a face that was found in ``pixels``, with box and landmarks in pixels of the sent picture."""
        if self.scale == 1:
            return face
        box = face.box.scaled_by(self.scale).clipped_to(self.image.width, self.image.height)
        return replace(face, box=box, landmarks=_scaled(face.landmarks, self.scale))

    def in_own_boxes(self, boxes: Sequence[Box] | None) -> Sequence[Box] | None:
        """Return boxes in the sent picture as boxes in ``pixels``."""
        if boxes is None or self.scale == 1:
            return boxes
        height, width = self.pixels.shape[:2]
        return [box.scaled_by(1 / self.scale).clipped_to(width, height) for box in boxes]

    def in_own_pixels(self, mark: FaceMark) -> FaceMark:
        """Return a mark on the sent picture as a mark on ``pixels``."""
        if self.scale == 1:
            return mark
        return replace(mark, box=mark.box.scaled_by(1 / self.scale), landmarks=_scaled(mark.landmarks, 1 / self.scale))


def open_picture(data: bytes, limits: PictureLimits, mounting: Mounting) -> ScaledPicture:
    """Return the upright picture of an encoded one. Raises BadImage, TooLarge and Unsupported."""
    decoded = decode_with_size(data, limits)
    image = Image(decoded.width, decoded.height, len(data)).turned_by(mounting.rotate)
    return ScaledPicture(make_upright(decoded.pixels, mounting), image)


def _scaled(landmarks: Landmarks | None, factor: float) -> Landmarks | None:
    if landmarks is None:
        return None
    return {name: [(round(x * factor), round(y * factor)) for x, y in points] for name, points in landmarks.items()}

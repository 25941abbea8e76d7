"""The plain server of the comparison: Flask and face_recognition, as articles about face recognition show it.

``python -m benchmarks.rest.plain_server PORT`` serves ``POST /face_rec`` with the form field ``file``, and prints
``ready``. It is as fast as this way allows: the descriptors of the known people are computed once, at the start, and
not for each request. Flask's development server answers each request in a thread, and one thread at a time uses
face_recognition. All else is as face_recognition does it by default: HOG on the picture enlarged once, one chip, and
the nearest known face below the distance 0.6.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import face_recognition
import numpy as np
from flask import Flask, request
from numpy.typing import NDArray
from PIL import ImageFile

from benchmarks.rest.setup import KNOWN_FACES

# The import of face_recognition makes Pillow accept truncated pictures in the whole process, which tests share.
ImageFile.LOAD_TRUNCATED_IMAGES = False

MAX_DISTANCE = 0.6
"""The default tolerance of face_recognition."""


def load_known_people(folder: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names, and the descriptors of the same order."""
    names, descriptors = [], []
    for picture in sorted(folder.glob("*/*.jpg")):
        (descriptor,) = face_recognition.face_encodings(face_recognition.load_image_file(picture))
        names.append(picture.parent.name.replace("_", " "))
        descriptors.append(descriptor)
    return names, np.array(descriptors)


def create_plain_app(folder: Path) -> Flask:
    """Return the application, with the people of a folder."""
    app = Flask(__name__)
    names, known = load_known_people(folder)
    # All threads share the detector of face_recognition, and dlib lets go of Python's lock while it detects. Without
    # this lock two requests at the same time ended the process, or one took 49 s.
    one_at_a_time = threading.Lock()

    @app.post("/face_rec")
    def face_rec() -> dict[str, Any]:
        picture = face_recognition.load_image_file(request.files["file"])
        with one_at_a_time:
            descriptors = face_recognition.face_encodings(picture)
        for descriptor in descriptors:
            distances = face_recognition.face_distance(known, descriptor)
            nearest = int(np.argmin(distances))
            if distances[nearest] <= MAX_DISTANCE:
                return {"name": names[nearest]}
        return {"name": "Unknown"}

    return app


if __name__ == "__main__":
    application = create_plain_app(KNOWN_FACES)
    print("ready", flush=True)
    application.run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from device_sim.errors import NoNewPicture, SimError
from device_sim.video import LiveVideo, open_video
from tests.support import wait_for

av = pytest.importorskip("av", reason="the extra video is not installed")

GREYS = range(0, 250, 10)
PICTURES_OF_A_CONNECTION = 100


def write_video(file: Path) -> Path:
    """Write a video of 2.5 s with 10 frames a second, each brighter than the one before."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        for grey in GREYS:
            image = Image.new("RGB", (64, 48), (grey, grey, grey))
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode(None))
    return file


def brightness(jpeg: bytes) -> int:
    pixel = Image.open(BytesIO(jpeg)).convert("L").getpixel((32, 24))
    assert isinstance(pixel, int)
    return pixel


@pytest.mark.parametrize(("rate", "expected"), [(10, [0, 10, 20, 30]), (5, [0, 20, 40, 60]), (20, [0, 10, 10, 20])])
def test_video_is_shown_at_the_rate(tmp_path: Path, rate: float, expected: list[int]) -> None:
    pictures = open_video(str(write_video(tmp_path / "video.mp4")), rate)(0)
    assert [brightness(picture.jpeg) for picture in islice(pictures, 4)] == pytest.approx(expected, abs=6)


def test_video_begins_again_at_its_end(tmp_path: Path) -> None:
    pictures = open_video(str(write_video(tmp_path / "video.mp4")), 10)(0)
    shown = [brightness(picture.jpeg) for picture in islice(pictures, 2 * len(GREYS))]
    assert shown[: len(GREYS)] == shown[len(GREYS) :]


def test_missing_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SimError, match=r"Cannot open the video .*absent\.mp4: No such file"):
        open_video(str(tmp_path / "absent.mp4"), 1)


def test_video_without_a_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(SimError, match=r"notes\.txt"):
        next(open_video(str(tmp_path / "notes.txt"), 1)(0))


def test_error_does_not_show_the_login_of_a_stream() -> None:
    with pytest.raises(SimError, match=r"Cannot open the video rtsp://127\.0\.0\.1:9/") as caught:
        LiveVideo("rtsp://user:secret@127.0.0.1:9/stream", "stream")
    assert "secret" not in str(caught.value)


class MjpegCamera(BaseHTTPRequestHandler):
    """A camera whose connections end after 100 pictures. Each connection shows another brightness."""

    connections = 0

    def do_GET(self) -> None:
        number = MjpegCamera.connections
        MjpegCamera.connections += 1
        file = BytesIO()
        Image.new("L", (64, 48), 20 * number).save(file, "JPEG")
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for _ in range(PICTURES_OF_A_CONNECTION):
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(file.getvalue())}\r\n\r\n"
            self.wfile.write(head.encode() + file.getvalue() + b"\r\n")

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def mjpeg_server() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), MjpegCamera) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_live_stream_shows_each_picture_once_and_is_opened_again() -> None:
    shown = []

    def shows_a_later_connection() -> bool:
        try:
            shown.append(brightness(next(stream).jpeg))
        except NoNewPicture:
            return False
        return shown[-1] > shown[0]

    with mjpeg_server() as port:
        stream = LiveVideo(f"http://127.0.0.1:{port}/stream", "stream")
        wait_for(shows_a_later_connection)
        assert len(shown) <= PICTURES_OF_A_CONNECTION * MjpegCamera.connections
        stream.close()

"""Scan of a folder for pictures of people, as for known_faces/ and ``people add``."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from gateway.errors import TooLarge
from gateway.people.folder import scanner as folder_scanner
from gateway.people.folder.files import PictureFile, PictureReader, open_regular, read_bounded, stamp_of
from gateway.people.folder.scan import FolderScan
from gateway.people.folder.scanner import FolderScanner
from tests.support import KNOWN_FACES

JPEG = next((KNOWN_FACES / "Joe_Biden").iterdir()).read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one person and one picture."""
    folder = tmp_path / "known_faces"
    put(folder / "Joe_Biden/1.jpg")
    return folder


def put(path: Path, content: bytes = JPEG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def scan(folder: Path, max_entries: int = folder_scanner.MAX_ENTRIES) -> FolderScan:
    return FolderScanner(folder, max_entries=max_entries).scan()


def people(found: FolderScan) -> set[str | None]:
    return {file.person for file in found.pictures.values()}


SYSTEM = ["@eaDir", "#recycle", "__MACOSX", "lost+found", "$RECYCLE.BIN", "System Volume Information", "@Recycle"]
SYSTEM += ["#snapshot", "~snapshot", "@Recently-Snapshot", "Network Trash Folder", "RECYCLER"]
HIDDEN = [".trash", ".thumbnails", "..data", ".AppleDouble", ".stversions", ".sync", ".Trash-1000", ".git", "..2024_01"]


@pytest.mark.parametrize("name", SYSTEM + HIDDEN)
def test_system_folder_is_no_person(folder: Path, name: str) -> None:
    put(folder / name / "1.jpg")
    put(folder / "Joe_Biden" / name / "1.jpg")
    found = scan(folder)
    assert list(found.pictures) == ["Joe_Biden/1.jpg"]
    assert found.skipped == ((f"{name}: the name of a system folder, not of a person",) if name in SYSTEM else ())
    assert not found.may_hold(f"{name}/1.jpg")


@pytest.mark.parametrize("name", ["._1.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", ".jpg"])
def test_system_file_is_not_reported(folder: Path, name: str) -> None:
    put(folder / "Joe_Biden" / name)
    put(folder / name)
    found = scan(folder)
    assert (list(found.pictures), found.skipped) == (["Joe_Biden/1.jpg"], ())


@pytest.mark.parametrize("name", ["1.jfif", "1.jpe", "1.jpg_large", "1", "1.JPG", "1.avif", "photo.dat", "1.jpg.bak"])
def test_picture_is_found_by_its_suffix_or_its_first_bytes(folder: Path, name: str) -> None:
    put(folder / "Ada" / name)
    assert people(scan(folder)) == {"Ada", "Joe_Biden"}


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"GIF89a", b"BM", b"\0\0\0\x18ftypheic"])
def test_picture_of_any_kind_is_found_without_a_suffix(folder: Path, head: bytes) -> None:
    put(folder / "Ada/1", head + bytes(50))
    assert people(scan(folder)) == {"Ada", "Joe_Biden"}


def test_unused_files_are_reported_once_for_each_kind(folder: Path) -> None:
    for n in range(30):
        put(folder / f"Joe_Biden/{n:02}.txt", b"text")
    put(folder / "Joe_Biden/visit.mp4", b"\0\0\0\x18ftypisom")
    put(folder / "README.md", b"text")
    assert scan(folder).skipped == (
        ", ".join(f"Joe_Biden/{n:02}.txt" for n in range(5)) + " and 25 more: .txt: not a picture, by its first bytes",
        "Joe_Biden/visit.mp4: .mp4: not a picture, by its first bytes",
    )


def test_up_to_five_paths_are_named(folder: Path) -> None:
    """Regression: "Unknown and 3 more" did not say which folders to rename."""
    for name in ("DCIM", "Unknown", "images", "people", "photos"):
        put(folder / name / "1.jpg")
    assert scan(folder).skipped[0].startswith("DCIM, Unknown, images, people, photos: the name of a collection")


def test_deeper_folders_belong_to_the_person(folder: Path) -> None:
    put(folder / "Ada/2024/May/1.jpg")
    assert scan(folder).pictures["Ada/2024/May/1.jpg"].person == "Ada"


def test_scan_ends_at_the_depth_limit(folder: Path) -> None:
    put(folder / "Ada" / "/".join("d" * 40) / "1.jpg")
    found = scan(folder)
    assert people(found) == {"Joe_Biden"}
    assert "deeper than" in found.skipped[0]


@pytest.mark.parametrize(
    "name", ["known_people", "Known People", "known-faces", "unknown_pictures", "photos", "100APPLE", "2024"]
)
def test_collection_folder_is_no_person(folder: Path, name: str) -> None:
    put(folder / name / "Barack Obama.jpg")
    put(folder / name / "Joe Biden.jpg")
    found = scan(folder)
    assert people(found) == {"Joe_Biden"}
    assert "a collection, not of a person" in found.skipped[0]


def test_links_within_the_folder_are_followed_as_kubernetes_needs_it(folder: Path) -> None:
    put(folder / "..2024_05/Ada/1.jpg")
    (folder / "..data").symlink_to("..2024_05")
    (folder / "Ada").symlink_to("..data/Ada")
    (folder / "Joe_Biden/2.jpg").symlink_to("1.jpg")
    found = scan(folder)
    assert list(found.pictures) == ["Ada/1.jpg", "Joe_Biden/1.jpg", "Joe_Biden/2.jpg"]
    assert PictureReader(len(JPEG)).read(found.pictures["Ada/1.jpg"]) == JPEG


def test_the_folder_itself_may_be_a_link(folder: Path) -> None:
    link = folder.with_name("link")
    link.symlink_to(folder)
    assert list(scan(link).pictures) == ["Joe_Biden/1.jpg"]


@pytest.mark.parametrize("target", ["secret.jpg", "secrets", "known_faces_2/secret.jpg", "/etc/passwd", "/"])
def test_link_that_leads_out_is_not_followed(folder: Path, target: str) -> None:
    put(folder.parent / "secret.jpg")
    put(folder.parent / "secrets/1.jpg")
    put(folder.parent / "known_faces_2/secret.jpg")
    (folder / "Joe_Biden/2.jpg").symlink_to(folder.parent / target)
    (folder / "Ada").symlink_to(folder.parent / target)
    found = scan(folder)
    assert list(found.pictures) == ["Joe_Biden/1.jpg"]
    assert "Ada, Joe_Biden/2.jpg: a link that leads out of the folder" in found.skipped[0]
    assert found.may_hold("Ada/1.jpg")  # who was known from there is not removed for that


def test_folder_within_itself_is_scanned_once(folder: Path) -> None:
    (folder / "Joe_Biden/again").symlink_to(".")
    (folder / "All").symlink_to("..")
    (folder / "Self").symlink_to(".")
    found = scan(folder)
    assert list(found.pictures) == ["Joe_Biden/1.jpg"]
    assert any("a folder within itself" in each for each in found.skipped)


@pytest.mark.parametrize("name", ["Joe_Biden/2.jpg", "Joe_Biden/2", "Ada"])
def test_pipe_or_socket_is_never_opened(folder: Path, name: str) -> None:
    os.mkfifo(folder / name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / f"{name}s"))
    found = scan(folder)
    assert list(found.pictures) == ["Joe_Biden/1.jpg"]
    assert found.skipped == (f"{name}, {name}s: neither a file nor a folder",)


def test_file_that_became_a_pipe_or_a_link_is_not_read(folder: Path) -> None:
    (file,) = scan(folder).pictures.values()
    path = Path(file.path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="neither a file"):
        PictureReader(len(JPEG)).read(file)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        open_regular(path)


def test_files_over_the_limit_of_a_scan_are_reported(folder: Path) -> None:
    for n in range(30):
        put(folder / "Zoe" / f"{n:02}.jpg")
    found = scan(folder, max_entries=10)
    assert len(found.pictures) < 10
    assert not found.complete
    assert "more than 10 files" in found.skipped[-1]
    assert found.may_hold("Joe_Biden/9.jpg")  # nobody is removed for that


@pytest.mark.parametrize(
    "name", ["A\nWARNING gateway: forged", "A\x1b[2J", "A\u2028B", "A\u202eB", "A\\nB", "A\udcffB"]
)
def test_paths_are_printable_and_unambiguous(folder: Path, name: str) -> None:
    put(folder / name / "1.jpg")
    paths = set(scan(folder).pictures) - {"Joe_Biden/1.jpg"}
    assert all(path.isprintable() for path in paths)
    assert paths != {"A\\nB/1.jpg"}  # that is how a line break is shown


def test_file_without_a_suffix_is_opened_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "Ada/1")
    put(folder / "Ada/notes.txt", b"text")
    opened: list[object] = []

    def count(path: str) -> object:
        opened.append(path)
        return open_regular(path)

    monkeypatch.setattr(folder_scanner, "open_regular", count)
    scanner = FolderScanner(folder)
    assert scanner.scan() == scanner.scan()
    assert len(opened) == 2
    put(folder / "Ada/notes.txt", JPEG)
    assert "Ada/notes.txt" in scanner.scan().pictures


def a_picture(path: Path) -> PictureFile:
    return PictureFile(str(path), "Ada", stamp_of(path.stat()))


def test_file_is_read_again_only_after_a_change(tmp_path: Path) -> None:
    path = put(tmp_path / "1.jpg", b"first")
    reader = PictureReader(1000)
    first = reader.digest(a_picture(path))
    assert (reader.read(a_picture(path)), reader.digest(a_picture(path)), reader.bytes_read) == (b"first", first, 5)
    put(path, b"other")
    os.utime(path, ns=(a_picture(path).stamp[0], 1))  # a tool that sets the time back, as rsync does
    assert reader.digest(a_picture(path)) != first


def test_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.jpg"
    with path.open("wb") as file:
        file.truncate(2_500_000_000)
    with pytest.raises(TooLarge, match=r"2500000000 bytes, more than limits\.file_bytes \(1000\)"):
        read_bounded(path, 1000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "expected"),
    [("c", {"Joe_Biden"}), ("d", {"Jfif", "Jpe", "family", "No_Suffix"}), ("e", set()), ("e/known_people", {None})],
)
def test_shared_example_folders_are_scanned(shared: Path, tmp_path: Path, case: str, expected: set[str | None]) -> None:
    script = shared / "cases" / "make_known_faces.sh"
    if shutil.which("sh") is None or not script.exists():
        pytest.skip("the shared cases are not here")
    subprocess.run(["sh", script, KNOWN_FACES.parent, tmp_path], check=True)
    assert people(scan(tmp_path / case)) == expected


@pytest.mark.parametrize("swapped", ["Ada", "Ada/1.jpg"])
def test_file_outside_is_not_read_through_a_swapped_link(tmp_path: Path, swapped: str) -> None:
    """Regression: a link made between the scan and the reading could lead to any file of the machine."""
    folder, outside = tmp_path / "known_faces", tmp_path / "outside"
    for path in (folder / "Ada/1.jpg", outside / "1.jpg"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"content")
    (file,) = FolderScanner(folder).scan().pictures.values()
    (folder / swapped).rename(tmp_path / "away")
    (folder / swapped).symlink_to(outside if swapped == "Ada" else outside / "1.jpg")
    reader = PictureReader(100)
    with pytest.raises(OSError, match=r"changed while it was read|symbolic links"):
        reader.read(file)
    assert reader.digests == set()


def test_picture_changed_since_the_scan_is_read_after_the_next_scan(tmp_path: Path) -> None:
    (tmp_path / "Ada").mkdir()
    (tmp_path / "Ada/1.jpg").write_bytes(b"before")
    scanner, reader = FolderScanner(tmp_path), PictureReader(100)
    (file,) = scanner.scan().pictures.values()
    (tmp_path / "Ada/1.jpg").write_bytes(b"other content")
    with pytest.raises(OSError, match="it changed while it was read"):
        reader.read(file)
    assert reader.read(*scanner.scan().pictures.values()) == b"other content"

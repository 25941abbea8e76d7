"""The person on each file that is given to ``people add``."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.people.folder.given_pictures import NAMED_BY_CAMERA, NO_PERSON_GIVEN, given_pictures, name_of_file


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with two people's folders, one picture beside these, and system files."""
    album = tmp_path / "album"
    for path in ("Ada_Lovelace/1.jpg", "Ada_Lovelace/2024/2.jpg", "Grace/1.jpg", "Joe Biden.jpg", "@eaDir/1.jpg"):
        (album / path).parent.mkdir(parents=True, exist_ok=True)
        (album / path).write_bytes(b"picture")
    (album / "Grace/.1.jpg").write_bytes(b"hidden")
    (album / "Grace/notes.txt").write_bytes(b"text")
    return album


def given(*paths: Path, name: str | None = None, by_file: bool = False) -> tuple[dict[str, str], list[str]]:
    """Return the person on each picture, and the pictures that are refused."""
    pictures, refused, _ = given_pictures(paths, name, by_file=by_file)
    return {picture.given.name: picture.name for picture in pictures}, [path.name for path, _ in refused]


def test_folders_in_a_given_folder_are_people(album: Path) -> None:
    pictures, refused, notes = given_pictures([album], None, by_file=False)
    assert [(str(each.given.relative_to(album)), each.name) for each in pictures] == [
        ("Ada_Lovelace/1.jpg", "Ada Lovelace"),
        ("Ada_Lovelace/2024/2.jpg", "Ada Lovelace"),
        ("Grace/1.jpg", "Grace"),
    ]
    assert refused == [(album / "Joe Biden.jpg", NO_PERSON_GIVEN)]
    assert sorted(notes) == [
        f"{album}/@eaDir: the name of a system folder, not of a person",
        f"{album}/Grace/notes.txt: .txt: not a picture, by its first bytes",
    ]


def test_picture_outside_of_a_person_s_folder_is_refused(album: Path) -> None:
    assert given(album / "Joe Biden.jpg") == ({}, ["Joe Biden.jpg"])
    assert given(album / "Grace") == ({}, ["1.jpg"])


def test_given_name_is_used_for_all_pictures(album: Path) -> None:
    assert set(given(album, name="Ada")[0].values()) == {"Ada"}
    pictures, refused, _ = given_pictures([album], "Ada", by_file=False)
    assert (len(pictures), refused) == (4, [])


def test_file_names_may_name_people(album: Path) -> None:
    assert given(album, by_file=True)[0]["Joe Biden.jpg"] == "Joe Biden"
    assert given(album / "Joe Biden.jpg", by_file=True) == ({"Joe Biden.jpg": "Joe Biden"}, [])
    assert given(album, by_file=True)[0]["2.jpg"] == "Ada Lovelace"


def test_file_named_by_a_camera_is_refused(album: Path) -> None:
    """Regression: ``img1.jpg`` and ``img2.jpg``, two people, became one person "img"."""
    for name in ("img1.jpg", "img2.jpg", "2024-05-01 12.30.11.jpg"):
        (album / name).write_bytes(b"picture")
    pictures, refused, _ = given_pictures([album / "img1.jpg", album], None, by_file=True)
    assert {each.name for each in pictures} == {"Ada Lovelace", "Grace", "Joe Biden"}
    assert [(path.name, reason) for path, reason in refused] == [
        ("2024-05-01 12.30.11.jpg", NAMED_BY_CAMERA),
        ("img1.jpg", NAMED_BY_CAMERA),
        ("img2.jpg", NAMED_BY_CAMERA),
    ]
    assert given(album / "img1.jpg", name="Ada", by_file=True)[0] == {"img1.jpg": "Ada"}


def test_collection_folder_is_accepted_with_a_name(album: Path) -> None:
    photos = album.rename(album.with_name("photos"))
    assert set(given(photos.parent, name="Ada")[0].values()) == {"Ada"}


def test_link_that_is_given_itself_is_followed(album: Path) -> None:
    link = album.parent / "link.jpg"
    link.symlink_to(album / "Joe Biden.jpg")
    ((picture,), refused, _) = given_pictures([link], "Joe Biden", by_file=False)
    assert (picture.path, refused) == (str((album / "Joe Biden.jpg").resolve()), [])


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Barack Obama.jpg", "Barack Obama"),
        ("Barack_Obama_2.jpg", "Barack Obama"),
        ("Barack Obama (3).jpeg", "Barack Obama"),
        ("ada.lovelace-12.png", "ada.lovelace"),
        ("1.jpg", ""),
    ],
)
def test_name_of_a_person_comes_from_the_file_name(file: str, name: str) -> None:
    assert name_of_file(Path(file)) == name

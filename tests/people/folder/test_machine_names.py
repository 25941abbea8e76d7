"""Names of folders and files from machines, and names of people that look similar to these."""

from __future__ import annotations

from gateway.people.folder.machine_names import is_camera_file_name, is_collection_name

COLLECTIONS = """DCIM, Camera Roll, 100APPLE, 101MSDCF, 100_PANA, 100D3200, 102CANON, 2024, 2024-05-01, 20240501,
2024_05 Urlaub,
Fotos, Fotos 2, Bilder, Images, Imágenes, Изображения, 写真, New folder, New folder (2),
Neuer Ordner, Nouveau dossier, NEUER_ORDNER, Downloads, downloads (1), photos - Kopie, photos copy, known-faces,
train, tmp, Screenshots, WhatsApp Images, My Pictures, Foto's"""

PEOPLE = """Ada_Lovelace, Joe Biden 2, Sam, Val, Will Photo,
Bob 2024, 20145, 0001, Test, Family, Jean-Luc, Roman Bilder, 12345678,
李小龙, Camera Ashe, 100, Wa, At, X"""


def names_of(text: str) -> list[str]:
    return [each.strip() for each in text.split(",")]


def test_name_of_a_collection_is_recognised() -> None:
    assert [name for name in names_of(COLLECTIONS) if not is_collection_name(name)] == []


def test_name_of_a_person_is_no_collection() -> None:
    assert [name for name in names_of(PEOPLE) if is_collection_name(name)] == []


CAMERA_FILES = """IMG_2034, IMG_E2034, IMG-20240501-WA0001,
img1, img, image (3), DSC00012, DSC_0012, _DSC0012, _MG_0012,
DSCN0012, DSCF0012, PXL_20240501_123011000, PXL_20240501_123011000.PORTRAIT,
PXL_20240501_123011000.MP~2,
MVIMG_20240501,
photo 3, photo_2024-05-01_12-30-11, Screenshot 2024-05-01 at 12.30.11, Screenshot_20240501-123011_Chrome,
Bildschirmfoto 2024-05-01, WhatsApp Image 2024-05-01 at 12.30.11 PM,
WhatsApp-Bild 2024, 2024-05-01 12.30.11,
20240501_123011,
20240501_123011_HDR, P1010001, R0001234, SAM_0001, WIN_20240501_12_30_11_Pro, VID_20240501,
GOPR0001, DJI_0001, FB_IMG_1714560000,
received_17145,
signal-2024-05-01-123011, Screen Shot 2024, 1, 0001, 3F2504E0-4F89-41D3-9A0C-0305E82C3301, 9f86d081884c7d659a2f,
IMG_2034 (1)"""

NAMED_FILES = """Ada Lovelace, Joe Biden 2, Sam 2, Sam, Wa 1, A 1, Win 2, Cam, Vid 1,
Barack_Obama_2024, Image Ada, 李小龙 2, Abe, Dee Abba, Al Am,
Portrait Ada, ada.lovelace-12"""


def test_file_name_by_a_camera_is_recognised() -> None:
    assert [stem for stem in names_of(CAMERA_FILES) if not is_camera_file_name(stem)] == []


def test_file_name_of_a_person_is_accepted() -> None:
    assert [stem for stem in names_of(NAMED_FILES) if is_camera_file_name(stem)] == []

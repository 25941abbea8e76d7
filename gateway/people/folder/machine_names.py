"""Names of folders and files that come from cameras, phones, apps and file managers, and are not a person's name."""

from __future__ import annotations

import re

from gateway.model.names import name_key


def _keys(*lines: str) -> frozenset[str]:
    return frozenset(name_key(name) for line in lines for name in line.split(", "))


COLLECTIONS = _keys(
    # Common names, and those in the documentation of the command face_recognition.
    "faces, known, known faces, known people, people, people i know, pictures of people i know, everybody, everyone",
    "unknown, unknown faces, unknown people, unknown pictures, persons, others, misc, friends, train, training",
    "dataset, tmp, temp, backup, backups, export, import, inbox, incoming, uploads, new, old, various",
    # Names that cameras, phones, computers and apps give.
    "dcim, camera, camera roll, camera uploads, camera upload, saved pictures, screenshots, screen shots",
    "screen captures, downloads, download, desktop, documents, videos, movies, gallery, selfies, bluetooth, whatsapp",
    "whatsapp images, instagram, facebook, snapchat, telegram",
    "telegram images, messenger, signal, google photos, icloud photos, shared",
    # "Pictures" and "albums" in the languages of most cameras and computers.
    "images, image, photos, photo, photographs, pictures, picture, pics, pix, portraits, album, albums, snapshots",
    "foto, fotos, bild, bilder, fotografien, fotoalbum, alben, aufnahmen, kamera, eigene bilder, dokumente",
    "photographies, mes images, mes photos, imágenes, imagenes, imagens, fotografías, fotografias, mis imágenes",
    "immagini, fotografie, afbeeldingen, foto's, zdjęcia, obrazy, obrázky, fotky, képek, fényképek, kuvat, valokuvat",
    "billeder, bilete, resimler, fotoğraflar, resimlerim, poze, imagini, slike, изображения, фото, фотографии",
    "зображення, фотографії, снимки, картинки, εικόνες, φωτογραφίες, תמונות, صور, 写真, 画像, ピクチャ",
    "アルバム, 图片, 照片, 相册, 圖片, 相簿, 사진, 그림, my pictures, my photos, my images",
    "meine bilder, meine fotos, téléchargements, descargas, scaricati, pobrane",
    "загрузки, 下载, ダウンロード, mis fotos, le mie foto, minhas fotos, mijn afbeeldingen",
    # Names that file managers give to a new folder.
    "new folder, untitled folder, untitled, neuer ordner, ordner, nouveau dossier, dossier sans titre, nueva carpeta",
    "carpeta sin título, nuova cartella, cartella senza titolo, nieuwe map, naamloze map, nova pasta, pasta sem título",
    "nowy folder, nový priečinok, nová složka, új mappa, ny mappe, ny mapp, uusi kansio, yeni klasör, новая папка",
    "нова папка, νέος φάκελος, 新建文件夹, 新增資料夾, 新しいフォルダー, 新しいフォルダ, 새 폴더, folder",
)
"""Names of folders that hold pictures of several people, as ``name_key`` returns them."""

_COPY = re.compile(r"\s*(\(\d+\)|\d+|\(?(copy|kopie|copie)( \d+)?\)?)$")
"""Ending of a copy's name: file managers add it to a name that exists, and people to the name of a second album."""

_DATE = r"(19|20)\d\d(?!\d)|(19|20)\d\d[01]\d[0-3]\d(?!\d)"
"""A year, or a date without separators. A longer number may be a person's number in a company."""

_COLLECTION = re.compile(rf"[1-9]\d\d(?=.*[a-z])[a-z\d ]{{5}}|({_DATE}).*")
"""Folder of a memory card by the standard DCF (``100APPLE``, ``101MSDCF``, ``100_PANA``), or a folder named by date."""

_CAMERA_WORDS = _keys(
    "img, imag, image, images, mvimg, pxl, dsc, dscn, dscf, pic, pict, picture, photo, foto, bild, imgp, cimg, hpim",
    "gopr, gp, gx, dji, sdc, kimg, video, burst, scan, frame, snapshot, snap, webcam, camera",
    "capture, selfie, unnamed, untitled, download, imagen, immagine, imagem, afbeelding, fb img, fb, received, signal",
    "telegram, picsart, lrm, face, crop, фото, 写真, 图片",
)
_FILLERS = _keys(
    "at, um, à, alle, am, pm, wa, mp, edited, copy, kopie, hdr, portrait, cover, night, pano, top, bokeh, x"
)

_CAMERA_FILE = re.compile(
    r"(screen ?shot|bildschirmfoto|captura de |capture d.?.cran|schermafbeelding|schermata|whatsapp|zrzut ekranu).*"
    r"|(sam|win|mg|cam|vid|mov|wp) ?\d{4,}.*|[a-z]\d{6,}"
    r"|[\da-f]{8}( [\da-f]{4}){3} [\da-f]{12}|(?=.*\d)[\da-f]{16,}"
)
"""Name of a file from a camera: screenshots and pictures from WhatsApp, one letter and a long number (Panasonic,
Ricoh, Leica), random digits, and words with a long number (``SAM_1234``, ``WIN_20240501``).

Such a word without a long number may be a first name.
"""

_WORD = re.compile(r"[^\W\d_]+")


def is_collection_name(name: str) -> bool:
    """Return whether a folder's name is that of a collection, so that it names no single person."""
    key = name_key(name)
    return key in COLLECTIONS or _COPY.sub("", key) in COLLECTIONS or _COLLECTION.fullmatch(key) is not None


def is_camera_file_name(stem: str) -> bool:
    """Return whether a file's name is from a camera, a phone or an app, or has no letter.

    ``stem``: the name without its suffix.
    """
    key = name_key(stem)
    # Single letters do not count as words: iPhones put an E before the number of an edited picture.
    words = {word for word in _WORD.findall(key) if len(word) > 1}
    if _CAMERA_FILE.fullmatch(key) or not _WORD.search(key):
        return True
    dated = key[:4].isdigit()
    return words <= _CAMERA_WORDS | _FILLERS and (dated or bool(words & _CAMERA_WORDS))

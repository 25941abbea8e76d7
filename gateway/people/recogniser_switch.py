"""The check before the gateway starts with another recogniser: can every enrolled person be described again?"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from gateway.errors import StartError
from gateway.model.recipes import is_of_recogniser
from gateway.store.protocols import Faces
from gateway.store.records import FOLDER_PREFIX

MAX_LISTED_PEOPLE = 20
"""People that the refusal names."""


def check_recogniser_switch(faces: Faces, recipe: str, folder: Path) -> None:
    """Raise StartError with the names of enrolled people of whom neither a descriptor nor chips can be used.

    ``recipe``: of the present recogniser. ``folder``: of known people, whose pictures are described again from files.
    A change between the engines that use dlib's network is not refused.
    """
    sources: dict[str, list[str]] = defaultdict(list)
    recipes = {recipe}
    for name, other, source in faces.list_pictures_of_undescribable(recipe):
        sources[name].append(source)
        recipes.add(other)
    lost = [name for name, each in sources.items() if not any(_is_file(folder, source) for source in each)]
    if not lost or not any(map(is_of_recogniser, recipes)):
        return
    more = f" and {len(lost) - MAX_LISTED_PEOPLE} more" if len(lost) > MAX_LISTED_PEOPLE else ""
    raise StartError(
        f"The recogniser was changed, and {len(lost)} enrolled people cannot be described again, because no chips of"
        f" their pictures are stored: {', '.join(lost[:MAX_LISTED_PEOPLE])}{more}. Add a picture of each of them with"
        " `facegate people add --name NAME PICTURE`, or set recogniser back to its previous value. Nothing was deleted."
    )


def _is_file(folder: Path, source: str) -> bool:
    return source.startswith(FOLDER_PREFIX) and (folder / source.removeprefix(FOLDER_PREFIX)).is_file()

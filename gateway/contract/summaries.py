"""A sentence about each operation, for the descriptions of both interfaces."""

from __future__ import annotations

from collections.abc import Mapping

SUMMARIES: Mapping[str, str] = {
    "face_rec": "Find the faces in a picture, and name the enrolled people among them",
    "face_match": "Compare the faces in two pictures: do they show the same person?",
    "verify": "Compare the face in a picture with one enrolled person",
    "detect": "Find the faces in a picture, without naming anybody",
    "enroll": "Enrol pictures of one person",
    "people/list": "List the enrolled people, page by page",
    "people/show": "Show one person with the pictures",
    "people/add": "Enrol pictures of a person, who may be new",
    "people/not_them": "Add counter-examples: pictures that were wrongly taken for the person",
    "people/rename": "Give a person another name; the id stays",
    "people/merge": "Make two people one; the name and the id of `into` stay",
    "people/remove": "Remove a person; backups still contain the data",
    "people/remove_picture": "Remove one picture of a person",
    "people/erase": "Erase a person, also from the backups in the data folder",
    "people/export": "Export people as a zip file",
    "people/import": "Enrol the people of an exported zip file",
    "people/audit": "List the last lines of the audit, the newest first",
    "unknowns/list": "List the groups of faces of people who are not enrolled",
    "unknowns/show": "Show one unknown group with its faces",
    "unknowns/name": "Enrol the faces of an unknown group for a person, who may be new",
    "unknowns/forget": "Delete an unknown group and its sightings",
    "unknowns/export": "Export an unknown group as a zip file",
    "unknowns/ignore": "Ignore the stranger of an unknown group from now on",
    "unknowns/unignore": "Stop ignoring the stranger of an unknown group",
    "unknowns/join": "Add an unknown group to another one, which shows the same stranger",
    "sightings/list": "List the sightings, the newest first, page by page",
    "sightings/show": "Show one sighting with its picture",
    "sightings/not_them": "Correct a sighting: the person in it is not the named one",
    "sightings/confirm": "Confirm the name of a sighting",
    "cameras/list": "List the cameras and the people on them",
    "cameras/enable": "Switch recognition on, for one camera or with the switch for all cameras",
    "cameras/disable": "Switch recognition off, for one camera or with the switch for all cameras",
    "cameras/forget": "Forget a camera that is not used any more",
    "tokens/list": "List the tokens of the REST interface, without their texts",
    "tokens/add": "Make a token; its text is in this reply and nowhere else",
    "tokens/revoke": "Revoke a token; its sessions end",
    "tokens/rotate": "Replace a token by a new one with the same name and role",
    "calibrate": "Compare your own enrolled pictures with each other",
    "health": "Tell whether the gateway works, and what it lacks",
}
"""By the word of the operation. A test compares the words with those of the table of operations."""

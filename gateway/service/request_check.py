"""The checks of a request about pictures, before a worker process gets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.config import Settings
from gateway.contract.operations import check_role
from gateway.errors import Forbidden, Unsupported, name_picture_in_errors
from gateway.model import Operation, PictureLimits, Request, Search, SizeLimit
from gateway.people.gallery import Gallery
from gateway.store.limits import CountReplicas


def allow_camera(_camera: str) -> None:
    """Allow each camera, where cameras have no switches."""


@dataclass(frozen=True, slots=True)
class RecognitionPolicy:
    """The settings for requests about pictures.

    ``allowed``: the operations that a camera may ask for. ``search``: the faces to look for in the pictures of a
    camera, or of REST (None). ``size_limit``: of an encoded picture, likewise. ``landmarks_68``: 68 landmarks may be
    asked for. ``check_enabled``: raises Forbidden for a camera that is switched off. ``picture_limits``: of a decoded
    picture. ``failed_verifications_per_hour``: of each person, divided by the number that ``count_replicas`` returns.
    """

    allowed: Callable[[str], tuple[Operation, ...]]
    search: Callable[[str | None], Search]
    size_limit: Callable[[str | None], SizeLimit]
    landmarks_68: bool = True
    check_enabled: Callable[[str], None] = allow_camera
    picture_limits: PictureLimits = field(default_factory=PictureLimits)
    failed_verifications_per_hour: int = 240
    count_replicas: CountReplicas | None = None


def policy_of(
    settings: Settings, check_enabled: Callable[[str], None], count_replicas: CountReplicas | None = None
) -> RecognitionPolicy:
    """Return the policy by the settings. The functions are those of RecognitionPolicy."""
    return RecognitionPolicy(
        allowed=settings.operations_of,
        search=settings.search_of,
        size_limit=settings.size_limit_of,
        landmarks_68=settings.landmarks_68 != "off",
        check_enabled=check_enabled,
        picture_limits=settings.limits.picture,
        failed_verifications_per_hour=settings.decision.failed_verifications_per_hour,
        count_replicas=count_replicas,
    )


class RequestCheck:
    """The check whether the settings and the enrolled people allow a request."""

    def __init__(self, policy: RecognitionPolicy, gallery: Gallery) -> None:
        self._policy = policy
        self._gallery = gallery

    def check(self, request: Request) -> None:
        """Raise GatewayError for a request that is not allowed."""
        if request.landmarks == 68 and not self._policy.landmarks_68:
            raise Unsupported(
                "landmarks of 68 points are switched off: ask for landmarks=5 or 468, or set landmarks_68: mesh"
            )
        camera = request.origin.camera
        if camera is not None:
            self._policy.check_enabled(camera)
            self._check_operation(camera, request.operation)
        else:
            check_role(request.origin.caller, request.operation.value)
        for picture, name in zip(request.pictures, request.picture_names or ("",), strict=True):
            with name_picture_in_errors(name):
                self._policy.size_limit(camera).check(len(picture))
        if request.operation is Operation.VERIFY and request.person is not None:
            # Raises UnknownPerson.
            self._gallery.person(request.person)

    def _check_operation(self, camera: str, operation: Operation) -> None:
        if operation not in self._policy.allowed(camera):
            raise Forbidden(
                f"the camera {camera} may not ask for {operation.value}: add {operation.value} to operations, or to"
                f" cameras.{camera}.operations if the camera has a list of its own"
            )

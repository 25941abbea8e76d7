"""The parts of the event stream, built from the settings."""

from __future__ import annotations

from collections.abc import Callable

from gateway.config import Settings
from gateway.contract.events import PeopleEventDocument, UnknownsEventDocument
from gateway.contract.health import write_health
from gateway.live.unchanged_answers import UnchangedAnswers
from gateway.metrics import Metrics
from gateway.model.health import Health
from gateway.people.gallery import Gallery
from gateway.people.services import PeopleServices
from gateway.people.unknown_groups import UnknownGroups
from gateway.rest.events.announcer import StreamAnnouncer
from gateway.rest.events.feed import StateFeed
from gateway.rest.events.hub import EventHub
from gateway.rest.events.shared_events import SharedEvents, SharedNews
from gateway.rest.events.streams import EventStreams

MAX_REVISION = 0xFFFF_FFFF


class Events:
    """The event stream. ``announcer``: gets the news about live cameras. ``streams``: for the HTTP server.

    ``may_name_people``: returns False while a replica has no lease. Then events that name people reach no client.
    ``news``: of the replicas of a cluster. ``is_on``: returns whether a camera is switched on.
    """

    def __init__(
        self,
        settings: Settings,
        people: PeopleServices,
        health: Callable[[], Health],
        metrics: Metrics,
        may_name_people: Callable[[], bool],
        news: SharedNews | None,
        is_on: Callable[[str], bool],
    ) -> None:
        def find_name(slug: str) -> str | None:
            return people.gallery.find_name(slug) if may_name_people() else None

        live, hub = settings.live, EventHub(find_name)
        self._shared = None
        if news is not None:

            def is_known(slug: str) -> bool:
                return people.gallery.find_name(slug) is not None

            self._shared = SharedEvents(hub, news, is_on, is_known, may_name_people)
        unchanged = UnchangedAnswers(live.unchanged_answer_s, live.most_cameras)
        self.announcer = StreamAnnouncer(hub, unchanged, None if self._shared is None else self._shared.announce)
        self.streams = EventStreams(hub, settings.rest.event_streams, metrics)
        self._feed = StateFeed(
            hub,
            self.streams,
            {
                "people": lambda: _people(people.gallery),
                "unknowns": lambda: _unknowns(people.groups),
                "health": lambda: write_health(health()),
            },
            lambda: people.updater.removal_count,
        )

    def start(self) -> None:
        self._feed.start()
        if self._shared is not None:
            self._shared.start()

    def stop(self) -> None:
        """End all streams."""
        self.streams.stop()
        self._feed.stop()
        if self._shared is not None:
            self._shared.stop()


def _people(gallery: Gallery) -> PeopleEventDocument:
    return PeopleEventDocument(known=len(gallery), revision=gallery.changes)


def _unknowns(groups: UnknownGroups) -> UnknownsEventDocument:
    # How often a stranger was seen, and when, is no change: it differs each second while the stranger is there.
    found = [(each.id, each.ignored, *(worth for worth, _ in each.faces)) for each in groups.list_groups()]
    return UnknownsEventDocument(waiting=groups.waiting, revision=hash(tuple(sorted(found))) & MAX_REVISION)

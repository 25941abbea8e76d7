"""The table of the states in which a gateway looks for other gateways on the same topics.

Two gateways on one base would answer every request twice. So a gateway searches before it serves. Two gateways that
could not see each other then, since the broker was not reachable, find each other later by their loopback messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class SearchState(Enum):
    SEARCHING = "no search has shown yet that this gateway is the only one"
    EXCLUSIVE = "a search found no other gateway, and this one serves"
    DISPLACED = "another gateway served first, and this one ends"


class SearchEvent(Enum):
    INTERRUPTED = "the connection was lost during the search, or the gateway stops"
    UNHEARD = "the own challenge did not come back from the broker"
    ANSWERED = "another gateway has answered the challenge"
    CLAIMED = "another gateway with a lower instance name is about to serve"
    SILENT = "no other gateway answered, and the own message that this gateway serves came back before any other one"
    OLDER_FOUND = "a gateway that served before this one has answered a challenge"
    YOUNGER_FOUND = "a gateway that began to serve after this one has answered a challenge"


# The actions, which DuplicateDetector carries out:
# - INTERRUPTED, UNHEARD, CLAIMED: the caller gets NotYet, and searches again after a pause. UNHEARD has a warning, and
#   so has CLAIMED when it comes for the third time.
# - ANSWERED: the caller gets AnotherGateway, and the gateway ends.
# - OLDER_FOUND in EXCLUSIVE: the gateway ends.
# - YOUNGER_FOUND in EXCLUSIVE: bridge/state and bridge/info are published again, since the other gateway has published
#   its own there. The other gateway comes to OLDER_FOUND, and ends.
TRANSITIONS: Final[Mapping[SearchState, Mapping[SearchEvent, SearchState]]] = {
    SearchState.SEARCHING: {
        SearchEvent.INTERRUPTED: SearchState.SEARCHING,
        SearchEvent.UNHEARD: SearchState.SEARCHING,
        SearchEvent.ANSWERED: SearchState.SEARCHING,
        SearchEvent.CLAIMED: SearchState.SEARCHING,
        SearchEvent.SILENT: SearchState.EXCLUSIVE,
    },
    SearchState.EXCLUSIVE: {
        SearchEvent.OLDER_FOUND: SearchState.DISPLACED,
        SearchEvent.YOUNGER_FOUND: SearchState.EXCLUSIVE,
    },
    SearchState.DISPLACED: {},
}

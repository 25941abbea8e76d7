"""The operations ``people/show`` and ``people/suggestions``: how well people are told apart."""

from __future__ import annotations

from gateway.contract import fields as f
from gateway.contract import resemblance as documents
from gateway.contract.coded_warnings import warning_fields
from gateway.contract.faces import round_score
from gateway.errors import UnknownPerson
from gateway.model import AdministrationRequest
from gateway.people.lookalikes import Pair
from gateway.people.services import PeopleServices
from gateway.service.documents import name_person, write_person


class ResemblanceOperations:
    """The operations that compare enrolled people with each other."""

    def __init__(self, people: PeopleServices) -> None:
        self._people = people
        self._gallery = people.gallery
        self._decision = people.decision

    def show(self, _request: AdministrationRequest, fields: f.OnePerson) -> documents.PersonDetailDocument:
        entry = self._people.store.people.read_entry(fields.person)
        return documents.PersonDetailDocument(
            **write_person(entry).document(),
            closest=self._find_closest(fields.person),
            threshold=self._threshold(),
            **warning_fields(self._people.updater.warnings_about(fields.person)),
        )

    def suggest(self, _request: AdministrationRequest, fields: f.Suggestions) -> documents.SuggestionsDocument:
        scored = [(self._score(pair), pair) for pair in self._people.updater.lookalikes()]
        best = sorted((each for each in scored if each[0] is not None), key=lambda each: -(each[0] or 0.0))
        found = [self._suggestion(score, pair) for score, pair in best[: fields.limit]]
        return documents.SuggestionsDocument(
            suggestions=[each for each in found if each is not None], threshold=self._threshold()
        )

    def _threshold(self) -> float:
        return round_score(self._decision.identification_threshold(len(self._gallery)))

    def _find_closest(self, slug: str) -> documents.ResemblanceDocument | None:
        # A person whose pictures are all of another engine is not in the gallery.
        if slug not in self._gallery:
            return None
        found = self._gallery.closest_to(slug, self._decision.similarity_limits(len(self._gallery)))
        if found is None:
            return None
        score = round_score(self._decision.score(found.similarity, found.pictures))
        return documents.ResemblanceDocument(person=found.person.slug, name=found.person.name, score=score)

    def _score(self, pair: Pair) -> float | None:
        """Return the score of a pair, or None if one of the two was removed meanwhile."""
        try:
            found = self._gallery.compare_people(*pair)
        except UnknownPerson:
            return None
        return round_score(self._decision.score(found.similarity, found.pictures))

    def _suggestion(self, score: float | None, pair: Pair) -> documents.SuggestionDocument | None:
        try:
            people = [name_person(self._people.store.people.read_entry(slug)) for slug in pair]
        except UnknownPerson:
            return None
        return documents.SuggestionDocument(people=people, score=score or 0.0)

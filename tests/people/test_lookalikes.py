from __future__ import annotations

from itertools import permutations

from gateway.model import Person
from gateway.people.lookalikes import connect, merge_sentence, name_all

AGES = {name: age for age, name in enumerate("abcdefg")}


def test_pairs_that_share_a_person_are_one_group_in_any_order() -> None:
    for pairs in permutations([("f", "g"), ("c", "d"), ("b", "d"), ("b", "e")]):
        assert connect(pairs, AGES) == [("b", "c", "d", "e"), ("f", "g")]


def test_group_begins_with_its_oldest_person() -> None:
    assert connect([("a", "b")], {"a": 2, "b": 1}) == [("b", "a")]
    assert connect([], {}) == []


def test_sentence_names_everybody_and_the_commands() -> None:
    people = [Person("ada", "Ada"), Person("bea", "Bea"), Person("cy", "Cy")]
    assert name_all(people) == "Ada (ada), Bea (bea) and Cy (cy)"
    assert name_all(people[:1]) == "Ada (ada)"
    sentence = merge_sentence("they look alike", people)
    assert sentence.endswith(
        ": if they are one person, run `facegate people merge bea ada`, `facegate people merge cy ada`"
    )

"""Who is who, by name alone."""

import pytest

from prefect_wfexec.engine.approvals.people import find_person, may_be_same, person_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jane@Example.com", "jane@example.com"),
        (" jane@example.com ", "jane@example.com"),
        ("jane+ops@example.com", "jane@example.com"),
        ("\uff4a\uff41\uff4e\uff45@example.com", "jane@example.com"),
        ("STRASSE", "straße"),
        ("Jane  Doe", "jane doe"),
    ],
)
def test_two_spellings_are_one_person(one: str, other: str) -> None:
    assert person_key(one) == person_key(other)
    assert may_be_same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("jane", "Jane@example.com"), ("Jane Doe", "jane.doe@example.com"), ("j.doe", "jdoe"), ("jane-doe", "Jane_Doe")],
)
def test_names_that_may_be_one_person_count_as_one_where_it_matters(one: str, other: str) -> None:
    assert may_be_same(one, other)
    assert may_be_same(other, one)
    assert person_key(one) != person_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("jane@a.example", "jane@b.example"), ("jane", "joe"), ("jane", ""), ("", "@"), ("...", "jane@example.com")],
)
def test_two_people_stay_two(one: str, other: str) -> None:
    assert not may_be_same(one, other)


def test_a_person_is_found_by_any_spelling_of_theirs() -> None:
    people = ("jane@example.com", "Joe")
    assert find_person("JANE+x@example.com", people) == "jane@example.com"
    assert find_person("joe", people) == "Joe"
    assert find_person("jane", people) is None

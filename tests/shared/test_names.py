"""Which of a process's own tags a shared tag is: known for as long as anything depends on it."""

import pytest

from daxlite.core.tables import Place
from daxlite.core.tags import Tag, item_tag
from daxlite.shared.names import LEAST, KnownTags

PLACE = Place("eu-west-1", "Orders")


def tag(number: int) -> tuple[bytes, Tag]:
    return number.to_bytes(32, "big"), item_tag(PLACE, str(number).encode())


def test_what_is_not_used_is_forgotten() -> None:
    kept, used = tag(LEAST)
    known = KnownTags(lambda each: each is used)
    known.note(kept, used)
    for number in range(LEAST):
        known.note(*tag(number))
    assert known.get(kept) is used
    assert known.get(tag(LEAST - 2)[0]) is None
    assert len(known._tags) < LEAST


def test_p5_what_is_noted_while_the_unused_are_forgotten_stays_known() -> None:
    """Else no message about it would be heard."""
    name, read = tag(0)
    is_read = False

    def is_used(each: Tag) -> bool:
        nonlocal is_read
        was_read, looked_at = is_read, each is read
        if looked_at and not is_read:  # another thread begins to read it just now
            is_read = True
            known.note(name, read)
        return was_read and looked_at

    known = KnownTags(is_used)
    known.note(name, read)
    for number in range(1, LEAST):
        known.note(*tag(number))
    assert is_read
    assert known.get(name) is read


def test_p5_all_are_known_while_the_unused_are_forgotten() -> None:
    seen: list[bool] = []

    def is_used(each: Tag) -> bool:
        seen.append(known.get(name) is used)
        return True

    (name, used), known = tag(0), KnownTags(is_used)
    for number in range(LEAST):
        known.note(*((name, used) if number == 0 else tag(number)))
    assert len(seen) == LEAST
    assert all(seen)


def test_an_exception_meanwhile_forgets_none() -> None:
    def is_used(each: Tag) -> bool:
        if each.value == b"7" and is_interrupted:
            raise KeyboardInterrupt
        return True

    known, is_interrupted = KnownTags(is_used), True
    for number in range(LEAST - 1):
        known.note(*tag(number))
    with pytest.raises(KeyboardInterrupt):
        known.note(*tag(LEAST - 1))
    assert all(known.get(tag(number)[0]) for number in range(LEAST))
    is_interrupted = False
    for number in range(LEAST, 2 * LEAST):
        known.note(*tag(number))
    assert all(known.get(tag(number)[0]) for number in range(2 * LEAST))

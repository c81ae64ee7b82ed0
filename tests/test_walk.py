"""How many functions a call enters is guarded by counting them: each one is a step of a reader's way through the
code."""

from tests.walk import section, walks


def test_the_ways_through_the_code_do_not_get_longer() -> None:
    # The last one begins on a server that knows no script yet: each is refused by its digest first.
    limits = [5, 100, 94, 256]  # the last one more where no test of this process went that way before
    entered = [len(functions) for _, functions in walks()]
    assert all(count <= limit for count, limit in zip(entered, limits, strict=True)), entered


def test_the_section_for_contributors_names_files_and_functions() -> None:
    assert "- `cache/memory.py`: `MemoryCache.lookup`" in section()

"""The Zipf distribution, as in real traffic: the thing at rank r is drawn about 1/r as often as the first."""

from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Zipf(Generic[Thing]):
    """Draws from `things`; the first is the most popular."""

    def __init__(self, rng: Random, things: Sequence[Thing], exponent: float = 1.0) -> None:
        self._rng = rng
        self._things = things
        self._weights = list(accumulate(1.0 / rank**exponent for rank in range(1, len(things) + 1)))

    def draw(self) -> Thing:
        """A random thing.

        >>> popular = Zipf(Random(7), "abcdefgh")
        >>> "".join(popular.draw() for _ in range(12))
        'aacabaababaa'
        """
        return self._rng.choices(self._things, cum_weights=self._weights)[0]

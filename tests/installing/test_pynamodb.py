"""PynamoDB, unmodified, under `install`."""

from typing import Any

import daxlite
from tests.pynamodb.world import world


def test_models_answer_from_the_cache_and_what_they_write_counts() -> None:
    with world() as here:
        order: Any = here.shop.Order
        daxlite.install(here.cache)
        order("c#1", 1).save()
        here.sent()
        for _ in range(2):
            assert order.get("c#1", 1).number == 1
            assert [each.number for each in order.query("c#1")] == [1]
        assert here.sent() == ["Query"], "the item is there since it was saved"
        order("c#1", 2).save()
        assert [each.number for each in order.query("c#1")] == [1, 2]
        order.get("c#1", 1).delete()
        assert [each.number for each in order.query("c#1")] == [2]
        assert here.cache.stats().faults == 0
        daxlite.uninstall()

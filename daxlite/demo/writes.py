"""The writes of the workload. They follow the state of the table, as those of a shop would."""

from collections.abc import Callable, Sequence
from random import Random

from daxlite.demo.orders import STATUSES, customer_count, key_of, make_order, status_day
from daxlite.demo.settings import Item, Key, Request

# Percent of all writes. A deleted order is put again by the next write, so that reads in between find no item.
PUT, UPDATE = 40, 50
NEW_ORDER_SHARE = 0.4


class Writer:
    """Makes writes, and collects the keys of new orders."""

    def __init__(self, rng: Random, orders: Sequence[Item], changing_order: Callable[[], Item]) -> None:
        self._rng = rng
        self._changing_order = changing_order
        self._customers = customer_count(len(orders))
        self._number = len(orders)
        self._deleted: Item | None = None
        self.new_keys: list[Key] = []

    def write(self) -> tuple[str, Request]:
        """The kind and the parameters of the next write."""
        if self._deleted is not None:
            item, self._deleted = self._deleted, None
            return "PutItem", {"Item": item}
        chance = self._rng.randrange(100)
        if chance < PUT:
            return "PutItem", self._put()
        if chance < PUT + UPDATE:
            return "UpdateItem", self._update()
        return "DeleteItem", self._delete()

    def _put(self) -> Request:
        if self._rng.random() < NEW_ORDER_SHARE:
            self._number += 1
            item = make_order(self._rng, self._rng.randrange(1, self._customers + 1), self._number)
            self.new_keys.append(key_of(item))
            return {"Item": item}
        return {"Item": self._progressed(self._changing_order()), "ReturnValues": "ALL_OLD"}

    def _update(self) -> Request:
        order = self._changing_order()
        returned = self._rng.choice(("NONE", "ALL_NEW", "ALL_OLD"))
        if self._rng.random() < 0.5:
            # Changes no key attribute of the index: the item stays in its partition, and its pages change.
            return {
                "Key": key_of(order),
                "UpdateExpression": "ADD revision :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
                "ReturnValues": returned,
            }
        status = self._rng.choice(STATUSES)
        return {
            "Key": key_of(order),
            "UpdateExpression": "SET #status = :status, status_day = :status_day ADD revision :one",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {
                ":status": {"S": status},
                ":status_day": status_day(status, order["created_at"]["S"]),
                ":one": {"N": "1"},
            },
            "ReturnValues": returned,
        }

    def _delete(self) -> Request:
        order = self._changing_order()
        self._deleted = self._progressed(order)
        return {"Key": key_of(order)}

    def _progressed(self, order: Item) -> Item:
        status = self._rng.choice(STATUSES)
        return {
            **order,
            "status": {"S": status},
            "status_day": status_day(status, order["created_at"]["S"]),
            "revision": {"N": str(self._rng.randrange(2, 10))},
        }

"""What people do with DynamoDB: time series, global indexes, timelines, counters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from benchmarks.workloads.calls import Call, Read, Write, put, update
from benchmarks.workloads.workload import Shape, shape

HOUR = 3600


@dataclass(frozen=True)
class TimeSeries:
    """Devices append readings; people look at hours of the past."""

    name: str = "time series"
    devices: int = 50
    hours: int = 6
    per_hour: int = 10
    appends: float = 0.1
    shape: ClassVar[Shape] = shape("Readings", "d", "t", types={"d": "S", "t": "N"})

    def load(self) -> Iterator[Write]:
        for device in range(self.devices):
            for number in range(self.hours * self.per_hour):
                yield self._reading(device, number * HOUR // self.per_hour)

    def operations(self, rng: Random) -> Iterator[Sequence[Call]]:
        now = self.hours * HOUR
        while True:
            device = rng.randrange(self.devices)
            if rng.random() < self.appends:
                yield [self._reading(device, now)]
                now += 1
            else:
                yield [self._hour(device, rng.randrange(self.hours))]

    def _reading(self, device: int, time: int) -> Write:
        item = {"d": {"S": f"device#{device}"}, "t": {"N": str(time)}, "value": {"N": str(time % 97)}}
        return put("Readings", item, "d", "t")

    def _hour(self, device: int, hour: int) -> Read:
        values = {
            ":d": {"S": f"device#{device}"},
            ":from": {"N": str(hour * HOUR)},
            ":to": {"N": str(hour * HOUR + HOUR - 1)},
        }
        request = {"TableName": "Readings", "KeyConditionExpression": "d = :d AND t BETWEEN :from AND :to"}
        return Read("Query", {**request, "ExpressionAttributeValues": values})


@dataclass(frozen=True)
class GlobalIndex:
    """Items are asked for by group; what changes of them is not their group."""

    name: str = "global index"
    items: int = 500
    groups: int = 30
    updates: float = 0.05
    shape: ClassVar[Shape] = shape("Things", "id", types={"id": "S", "group": "S"}, by_group=["group"])

    def load(self) -> Iterator[Write]:
        for number in range(self.items):
            item = {**_id(number), "group": {"S": f"group#{number % self.groups}"}, "note": {"S": "at first"}}
            yield put("Things", item, "id")

    def operations(self, rng: Random) -> Iterator[Sequence[Call]]:
        count = 0
        while True:
            if rng.random() < self.updates:
                count += 1
                note = {"S": f"change {count}"}
                yield [update("Things", _id(rng.randrange(self.items)), "SET #n = :n", {"#n": "note"}, n=note)]
            else:
                yield [self.group(rng.randrange(self.groups))]

    def group(self, group: int) -> Read:
        """The query of a group."""
        request = {
            "TableName": "Things",
            "IndexName": "by_group",
            "KeyConditionExpression": "#g = :g",
            "ExpressionAttributeNames": {"#g": "group"},
            "ExpressionAttributeValues": {":g": {"S": f"group#{group}"}},
        }
        return Read("Query", request)


@dataclass(frozen=True)
class Timelines:
    """Users post, and like any post of a timeline; people look at the newest ten."""

    name: str = "timelines"
    users: int = 100
    at_first: int = 40
    """Posts of each user."""
    posts: float = 0.05
    likes: float = 0.05
    newest: int = 10
    shape: ClassVar[Shape] = shape("Posts", "user", "number", types={"user": "S", "number": "N"})

    def load(self) -> Iterator[Write]:
        for user in range(self.users):
            for number in range(self.at_first):
                yield self._post(user, number)

    def operations(self, rng: Random) -> Iterator[Sequence[Call]]:
        counts = [self.at_first] * self.users
        while True:
            user, chance = rng.randrange(self.users), rng.random()
            if chance < self.posts:
                yield [self._post(user, counts[user])]
                counts[user] += 1
            elif chance < self.posts + self.likes:
                key = self._key(user, rng.randrange(counts[user]))
                yield [update("Posts", key, "ADD #l :one", {"#l": "likes"}, one={"N": "1"})]
            else:
                yield [self._timeline(user)]

    def _key(self, user: int, number: int) -> dict[str, Any]:
        return {"user": {"S": f"user#{user}"}, "number": {"N": str(number)}}

    def _post(self, user: int, number: int) -> Write:
        item = {**self._key(user, number), "likes": {"N": "0"}, "text": {"S": f"post {number} " + "." * 80}}
        return put("Posts", item, "user", "number")

    def _timeline(self, user: int) -> Read:
        request = {
            "TableName": "Posts",
            "KeyConditionExpression": "#u = :u",
            "ExpressionAttributeNames": {"#u": "user"},
            "ExpressionAttributeValues": {":u": {"S": f"user#{user}"}},
            "ScanIndexForward": False,
            "Limit": self.newest,
        }
        return Read("Query", request)


@dataclass(frozen=True)
class Counters:
    """Scores are added to, and read one by one; an index keeps them in order."""

    name: str = "counters in an index key"
    players: int = 1000
    adds: float = 0.2
    shape: ClassVar[Shape] = shape(
        "Scores", "id", types={"id": "S", "game": "S", "score": "N"}, by_score=["game", "score"]
    )

    def load(self) -> Iterator[Write]:
        for number in range(self.players):
            item = {**_id(number), "game": {"S": f"game#{number % 10}"}, "score": {"N": "0"}}
            yield put("Scores", item, "id")

    def operations(self, rng: Random) -> Iterator[Sequence[Call]]:
        while True:
            key = _id(rng.randrange(self.players))
            if rng.random() < self.adds:
                points = {"N": str(rng.randint(1, 9))}
                yield [update("Scores", key, "ADD #s :n", {"#s": "score"}, n=points)]
            else:
                yield [Read.item("Scores", key)]


def _id(number: int) -> dict[str, Any]:
    return {"id": {"S": f"id#{number}"}}

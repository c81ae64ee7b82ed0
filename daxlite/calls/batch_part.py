"""One table's part of a BatchGetItem: what to forward, and what to make of the answer."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from ..cache.flights import Fill, ReadFlight
from ..cache.table import Table
from ..core.encoding import decode
from ..core.expressions.projections import Projection
from ..core.hidden import Hidden
from ..core.not_cacheable import NotCacheable
from ..core.requests import ItemRead
from ..core.schema import item_key
from ..core.steps import Params, Response
from ..core.values import Item
from .context import STRONGLY, Context
from .get_item import CachedItem, answer_found, entry_of, find_item

if TYPE_CHECKING:
    from ..shared.values import Value

_ALIAS: Final = "#daxlite_key"


class Wanted(Hidden, Struct, eq=False):
    """One item that is asked for."""

    key: bytes
    given: Any
    """Its key as the application gave it."""
    flight: ReadFlight | None = None
    """The read of it; None where nothing is to be stored."""
    leader: ReadFlight | None = None
    """Another caller's read of it, to wait for."""


class Part(Hidden, Struct, eq=False):
    """What a BatchGetItem asks of one table."""

    name: str
    """As the application gave it."""
    table: Table
    asked: Mapping[str, Any]
    projection: Projection | None
    key_names: frozenset[str]
    is_cached: bool
    keys: list[bytes]
    """Those of all items that are asked for, in the order of the request."""
    wanted: list[Wanted] = []
    """The items that were not found in the cache."""
    was_sent: bool = False
    """Whether DynamoDB was asked for any of it."""
    answers: list[dict[str, Any]] = []
    """Items that were found without asking DynamoDB, as the application's client returns them."""
    found: list[bytes | None] = []
    """What the cache held of whole items, key by key."""
    others: list[tuple[bytes, CachedItem]] = []
    """The answers that were not among those, with their keys."""

    def look_up(self, context: Context) -> None:
        """Fill what the cache can answer; the rest is wanted."""
        if self.is_cached and self.projection is None:
            self._look_up_whole_items(context)
            return
        for key, given in zip(self.keys, self.asked["Keys"], strict=True):
            found = find_item(context, self.table, key, self.projection) if self.is_cached else None
            if found is None:
                self.wanted.append(Wanted(key, given))
            else:
                self.add(context, key, found)

    def _look_up_whole_items(self, context: Context) -> None:
        """The same for the usual batch, with as few function calls as possible: it runs for up to a hundred keys."""
        self.found = found = context.cache.lookup_items(self.table, self.keys)
        decode = context.dialect.decode_for_caller
        self.answers = [decode(data) for data in found if data]
        if None in found:
            asked = zip(self.keys, self.asked["Keys"], found, strict=True)
            self.wanted = [Wanted(key, given) for key, given, data in asked if data is None]

    def take(self, asked: Mapping[str, Any], keys: list[bytes]) -> None:
        """Go on with a copy of what is asked, which the caller cannot change any more. keys: of that copy."""
        if keys != self.keys:
            raise NotCacheable("the caller changes the request")
        given = dict(zip(keys, asked["Keys"], strict=True))
        self.asked = asked
        for wanted in self.wanted:
            wanted.given = given[wanted.key]

    def add(self, context: Context, key: bytes, found: CachedItem) -> None:
        """One more answer that did not have to be asked for."""
        if found.item is not None:
            self.answers.append(context.dialect.to_caller(found.item))
            self.others.append((key, found))

    @property
    def encoded_bytes(self) -> int:
        """The bytes of all answers as they are stored."""
        return sum(map(len, filter(None, self.found))) + sum([found.size for _, found in self.others])

    def origins(self) -> list[tuple[Any, Item]]:
        """For each of the answers, its key as it was given, and the typed item."""
        given = dict(zip(self.keys, self.asked["Keys"], strict=True))
        found = [(given[key], decode(data)) for key, data in zip(self.keys, self.found, strict=False) if data]
        return found + [(given[key], other.item) for key, other in self.others if other.item is not None]

    def start_or_follow(self, context: Context, flights: ExitStack, wanted: Collection[Wanted]) -> None:
        """Start the reads of these items, among others, but for those that are under way already. What a leader was to
        bring, and did not, is read alone, unless the leader was cancelled: then one of its followers leads."""
        for one in self.wanted if self.is_cached else ():
            if one not in wanted:
                continue
            if one.flight is None:
                entry = entry_of(self.table, one.key, self.projection)
                one.flight = context.cache.read_flight(self.table, ItemRead(one.key), entry)
            flights.enter_context(one.flight)
            if one.leader is None or one.leader.is_abandoned:
                one.leader = one.flight.start_or_follow()
            else:
                one.leader = None
                one.flight.start()

    def go_on(self, table: Table, started: Collection[Wanted]) -> None:
        """Go on with what is known of the table by now. started: those of its reads, among others, that have."""
        self.table = table
        for wanted in self.wanted:
            if wanted.flight is not None and wanted in started:
                wanted.flight.catch_up(table, entry_of(table, wanted.key, self.projection))

    @property
    def added(self) -> frozenset[str]:
        """The key attributes to ask for beside what is asked for, so that items can be told by their keys."""
        if self.projection is None or not self.is_cached or not self.table.may_ask_keys:
            return frozenset()
        unseen = frozenset(name for name in self.key_names if (name,) not in self.projection.paths)
        # Below a key attribute there is nothing to project; such a request is left alone, for the paths would overlap.
        return unseen if self.projection.attributes.isdisjoint(unseen) else frozenset()

    def request(self, wanted: Iterable[Wanted]) -> Params:
        """The application's request for some of its items."""
        return {**self.asked, "Keys": [one.given for one in wanted]}

    def request_adding(self, wanted: Collection[Wanted], added: Collection[str]) -> Params:
        """The same with what daxlite adds to it."""
        request = self.request(wanted)
        if any(one.flight is not None and one.flight.is_settling for one in wanted):
            request |= STRONGLY
        names = sorted(added)
        if names and "AttributesToGet" in request:
            request["AttributesToGet"] = [*request["AttributesToGet"], *names]
        elif names:
            aliases = {f"{_ALIAS}{number}": name for number, name in enumerate(names)}
            request["ProjectionExpression"] = ", ".join([request["ProjectionExpression"], *aliases])
            request["ExpressionAttributeNames"] = {**request.get("ExpressionAttributeNames", {}), **aliases}
        return request

    def strip(self, response: Response, added: frozenset[str]) -> list[dict[str, Any]]:
        """Take out of the response what was added to the request; returns that, item by item."""
        unprocessed = response.get("UnprocessedKeys", {})
        if self.name in unprocessed:
            # What is asked is a copy already, so the application may change what it is given (P8).
            unprocessed[self.name] = {**self.asked, "Keys": unprocessed[self.name]["Keys"]}
        items = response.get("Responses", {}).get(self.name, ())
        return [{name: item.pop(name) for name in added if name in item} for item in items]

    def take_shared(self, context: Context, one: Wanted, found: "tuple[Value, bool]") -> None:
        """Take what the tier that processes share had of an item: the value, and whether that is the whole item."""
        value, is_whole = found
        self.add(context, one.key, CachedItem(value.data, self.projection if is_whole else None))
        self.wanted.remove(one)

    def answers_of(
        self, context: Context, response: Response, wanted: Iterable[Wanted], taken: list[dict[str, Any]]
    ) -> list[tuple[ReadFlight, Fill]]:
        """To be stored: each item of the response that can be told by its key, and that the others do not exist."""
        answers: list[tuple[ReadFlight, Fill]] = []
        flights = {one.key: one.flight for one in wanted if one.flight is not None}
        if self.name not in response.get("Responses", {}) or not flights:
            return answers
        unprocessed = response.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", ())
        unseen = flights.keys() - {item_key(context.dialect.from_caller(key)) for key in unprocessed}
        are_keys_seen = True
        for item, added in zip(response["Responses"][self.name], taken, strict=True):
            shown = item | added
            if not self.key_names <= shown.keys():
                are_keys_seen = False
                continue
            key = item_key(context.dialect.from_caller({name: shown[name] for name in self.key_names}))
            if key in unseen:
                unseen.discard(key)
                typed = context.dialect.from_caller(item)
                answers.append((flights[key], answer_found(flights[key], key, self.projection, typed)))
        answers += [(flights[key], flights[key].item(key, None)) for key in (unseen if are_keys_seen else ())]
        return answers

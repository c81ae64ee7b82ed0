"""BatchGetItem: cached items are answered, missing ones are read from DynamoDB."""

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Any, Final

from ..core.not_cacheable import NotCacheable
from ..core.requests import check_capacity, item_projection
from ..core.schema import item_key
from ..core.snapshot import snapshot
from ..core.steps import Params, Response, Steps
from .batch_limit import certainly_fit, leave_out_what_does_not_fit
from .batch_part import Part, Wanted
from .context import Context
from .get_item import CachedItem
from .listeners import announce
from .outcomes import is_missing_table
from .responses import hit_response, no_capacity
from .single_flight import answer_of
from .tier import fill, find_items

_MAX_KEYS: Final = 100


def batch_get_item(context: Context, params: Params) -> Response | Steps[Response]:
    """Items from the cache beside items from DynamoDB, in no particular order, as DynamoDB returns them."""
    if not {"RequestItems", "ReturnConsumedCapacity"} >= params.keys():
        raise NotCacheable("a parameter that is not known")
    capacity = check_capacity(params)
    request = context.dialect.request("BatchGetItem", params)
    parts = [_part(context, params, name, asked) for name, asked in request["RequestItems"].items()]
    keys = sum(len(part.keys) for part in parts)
    if not 0 < keys <= _MAX_KEYS or len({part.table.id for part in parts}) < len(parts):
        raise NotCacheable("the number of keys or one table by two names")
    for part in parts:
        part.look_up(context)
    if any(part.wanted for part in parts):
        return _miss(context, _taken(context, params, parts), parts, capacity)
    return _completed(context, params, parts, capacity, hit_response(Responses={}, UnprocessedKeys={}))


def _taken(context: Context, params: Params, parts: list[Part]) -> Params:
    """The parameters, for all parts to go on with, as a copy that the caller cannot change any more."""
    params = snapshot(params)
    asked = context.dialect.request("BatchGetItem", params)["RequestItems"]
    for part in parts:
        part.take(params["RequestItems"][part.name], [item_key(key) for key in asked[part.name]["Keys"]])
    return params


def _part(context: Context, params: Params, name: str, asked: Mapping[str, Any]) -> Part:
    table = context.table(name)
    projection = item_projection(asked, in_batch=True)
    reason = context.bypass_reason(table, "item", asked)
    as_given = params["RequestItems"][name]
    keys = [item_key(key) for key in asked["Keys"]]
    if not keys or len(set(keys)) < len(keys):
        raise NotCacheable("no keys or duplicates")
    if reason is not None:
        context.cache.count(table.counters["item"], reason)
    return Part(name, table, as_given, projection, frozenset(asked["Keys"][0]), reason is None, keys)


def _miss(context: Context, params: Params, parts: list[Part], capacity: str) -> Steps[Response]:
    response: Response | None = None
    wanted = {one for part in parts for one in part.wanted}
    while wanted:
        with ExitStack() as flights:
            for part in parts:
                part.start_or_follow(context, flights, wanted)
            own = {one for one in wanted if one.leader is None}
            # After the start, so that readers of a table that is not known yet follow as well.
            for part in parts:
                if part.is_cached and not own.isdisjoint(part.wanted):
                    part.go_on((yield from context.described(part.name)), own)
            yield from _find_shared(context, parts, own)
            response = _merged(response, (yield from _send(context, params, parts, own)))
        # The followers of these flights are released before this call follows any other.
        wanted = yield from _follow(context, parts, wanted - own)
    return _completed(context, params, parts, capacity, response or hit_response(Responses={}, UnprocessedKeys={}))


def _follow(context: Context, parts: list[Part], following: Collection[Wanted]) -> Steps[set[Wanted]]:
    """Take what others bring. Returns what they did not."""
    missing: set[Wanted] = set()
    for part in parts:
        for one in part.wanted:
            if one.flight is None or one.leader is None or one not in following:
                continue
            answer = yield from answer_of(context, one.leader)
            if answer is None:
                missing.add(one)
            else:
                context.cache.count_joined(one.flight)
                part.add(context, one.key, CachedItem(answer))
    return missing


def _find_shared(context: Context, parts: list[Part], wanted: Collection[Wanted]) -> Steps[None]:
    """Take what the tier that processes share has of these items, of all tables at once."""
    if context.tier is None:
        return
    asked = [(part, one, one.flight) for part in parts for one in part.wanted if one in wanted and one.flight]
    found = yield from find_items(context, [(flight, one.key, part.projection) for part, one, flight in asked])
    for (part, one, _), answer in zip(asked, found, strict=True):
        if answer is not None:
            part.take_shared(context, one, answer)


def _send(context: Context, params: Params, parts: list[Part], wanted: Collection[Wanted]) -> Steps[Response | None]:
    """Ask DynamoDB for some of the missing items, and store them."""
    by_part = [(part, [one for one in part.wanted if one in wanted]) for part in parts]
    by_part = [(part, ones) for part, ones in by_part if ones]
    if not by_part:
        return None
    plain = {part.name: part.request(ones) for part, ones in by_part}
    # Looked up once: another thread may learn meanwhile that the table's keys must not be asked for.
    added = {part.name: part.added for part, _ in by_part}
    adding = {part.name: part.request_adding(ones, added[part.name]) for part, ones in by_part}
    additions = {"RequestItems": adding} if adding != plain else {}
    try:
        first, request = by_part[0][0].table, {**params, "RequestItems": plain}
        if additions:
            response, is_added = yield from context.send_adding(first, "BatchGetItem", request, additions)
        else:
            response, is_added = (yield from context.send(first, "BatchGetItem", request)), False
    except Exception as error:
        if is_missing_table(error):  # DynamoDB does not tell which of them it is; the first is forgotten already
            yield from announce(context.cache, context.cache.forget(*[part.table for part, _ in by_part[1:]]))
        raise
    taken = [part.strip(response, added[part.name] if is_added else frozenset()) for part, _ in by_part]
    for (part, ones), keys in zip(by_part, taken, strict=True):
        part.was_sent = True
        for one in ones:
            if one.flight is not None:
                context.cache.note_strength(one.flight, is_added and bool(adding[part.name].get("ConsistentRead")))
        if added[part.name] and not is_added:
            part.table.may_ask_keys = False
        yield from announce(context.cache, context.cache.learn_key(part.table, part.key_names))
        yield from fill(context, *part.answers_of(context, response, ones, keys))
    return response


def _merged(one: Response | None, other: Response | None) -> Response | None:
    """Two responses, of which there may be none, merged into one."""
    if one is None or other is None:
        return one or other
    for name, items in other.get("Responses", {}).items():
        one.setdefault("Responses", {}).setdefault(name, []).extend(items)
    for name, rest in other.get("UnprocessedKeys", {}).items():
        unprocessed = one.setdefault("UnprocessedKeys", {})
        unprocessed[name] = {**rest, "Keys": [*unprocessed.get(name, {}).get("Keys", ()), *rest["Keys"]]}
    if "ConsumedCapacity" in other:
        one.setdefault("ConsumedCapacity", []).extend(other["ConsumedCapacity"])
    return one


def _completed(context: Context, params: Params, parts: list[Part], capacity: str, response: Response) -> Response:
    """The response with the items that the cache answered."""
    if not certainly_fit(parts, response):
        _taken(context, params, parts)
        leave_out_what_does_not_fit(context, parts, response)
    responses = response.setdefault("Responses", {})
    for part in parts:
        if part.answers or not part.was_sent:
            responses.setdefault(part.name, []).extend(part.answers)
        if not part.was_sent and capacity != "NONE":
            response.setdefault("ConsumedCapacity", []).append(no_capacity(capacity, part.name))
    return response

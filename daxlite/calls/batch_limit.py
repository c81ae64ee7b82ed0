"""A BatchGetItem returns at most 16 MB, as DynamoDB's does: what does not fit is left in UnprocessedKeys.

DynamoDB's reply, at most 16 MB | cached items ... that fit | the others: their keys, to be asked for again
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..core.not_cacheable import NotCacheable
from ..core.sizes import MAX_BATCH_BYTES, MAX_ITEM_BYTES, item_size
from ..core.steps import Response
from .batch_part import Part
from .context import Context

_ALWAYS_FIT: Final = MAX_BATCH_BYTES // MAX_ITEM_BYTES
"""So many items cannot be too much."""


def certainly_fit(parts: Sequence[Part], response: Response) -> bool:
    """Whether the cached items of these parts fit into the response, as far as that can be told without looking at any
    item: an item is no larger than its encoded form. That is all that the usual batch needs."""
    cached = sum([len(part.answers) for part in parts])
    returned = sum(map(len, response["Responses"].values())) if "Responses" in response else 0
    if not cached or cached + returned <= _ALWAYS_FIT:
        return True
    room = MAX_BATCH_BYTES - min(returned * MAX_ITEM_BYTES, MAX_BATCH_BYTES)
    return sum([part.encoded_bytes for part in parts]) <= room


def leave_out_what_does_not_fit(context: Context, parts: Iterable[Part], response: Response) -> None:
    """Leave as many of the cached items as fit into the response, and the keys of the others in UnprocessedKeys."""
    returned = [item for items in response.get("Responses", {}).values() for item in items]
    room = MAX_BATCH_BYTES - sum(_size(context, item) for item in returned)
    for part in parts:
        kept = []
        for answer, (given, item) in zip(part.answers, part.origins(), strict=True):
            room -= item_size(item)
            if room >= 0:
                kept.append(answer)
            else:
                _leave_unprocessed(response, part, given)
        part.answers = kept


def _leave_unprocessed(response: Response, part: Part, given: Any) -> None:
    asked = {name: value for name, value in part.asked.items() if name != "Keys"}
    response.setdefault("UnprocessedKeys", {}).setdefault(part.name, {**asked, "Keys": []})["Keys"].append(given)


def _size(context: Context, item: Any) -> int:
    try:
        return item_size(context.dialect.from_caller(item))
    except NotCacheable:  # values of the application's own
        return MAX_ITEM_BYTES

"""Projections: which parts of an item a read asks for.

An item is cached whole and projected when it is read, so one entry serves every projection of it. Therefore a
projection that DynamoDB would refuse must not be accepted here: the cached item would answer it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ..encoding import encode
from ..not_cacheable import NotCacheable
from ..values import AttributeValue, plain_text
from .memo import MEMO
from .placeholders import NamePairs, Names, check_attribute_name
from .tokens import Cursor, Path

_Tree = dict[str | int, "_Tree | None"]


@dataclass(frozen=True, slots=True)
class Projection:
    """A set of document paths. Two are equal if they select the same, however they were written.

    `signature` is the canonical form, one per set of paths, for use in a cache key. `paths` is sorted.
    """

    signature: bytes
    paths: tuple[Path, ...] = field(compare=False)
    attributes: frozenset[str] = field(compare=False, repr=False)
    """The top-level attributes that it selects from."""
    _tree: _Tree = field(compare=False, repr=False)

    def select(self, item: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
        """The selected parts of an item in DynamoDB's typed form.

        A path that does not exist in the item selects nothing, not even empty parents. Selected elements of a list
        close up, in their order. The result shares values with the item.

        >>> item = {"l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]}, "m": {"M": {"k": {"NULL": True}}}}
        >>> projection_of("l[2], l[0], m.absent").select(item)
        {'l': {'L': [{'N': '0'}, {'N': '2'}]}}
        """
        selected: dict[str, AttributeValue] = {}
        for name, below in self._tree.items():
            value = item.get(name)  # type: ignore[arg-type]  # the first part of a path is always a name
            if value is not None and below is not None:
                value = _select(value, below)
            if value is not None:
                selected[name] = value  # type: ignore[index]
        return selected


_recall: Final[Any] = MEMO.get


def projection_of(expression: str, pairs: NamePairs | None = None) -> Projection:
    """The projection that a ProjectionExpression and ExpressionAttributeNames describe, if that is the only expression
    of its request. All texts are plain str.

    >>> one = projection_of("#l[0].x, id", (("#l", "list"),))
    >>> one == projection_of("id,#a[ 0 ] . x", (("#a", "list"),))
    True
    >>> one.paths, sorted(one.attributes)
    ((('id',), ('list', 0, 'x')), ['id', 'list'])
    """
    key = ("projection", expression, pairs)
    known: Projection | None = _recall(key)
    if known is not None:
        return known
    names = Names(pairs or ())
    parsed = parse_projection(expression, names)
    names.check_all_used()
    return MEMO.keep(key, parsed)


def projection_of_attributes(names: object) -> Projection:
    """The projection that the legacy AttributesToGet describes: literal names of top-level attributes.

    >>> projection_of_attributes(["a.b", "id"]).paths
    (('a.b',), ('id',))
    """
    if not isinstance(names, (list, tuple)) or not names:
        raise NotCacheable("AttributesToGet is empty or not a list")
    key = ("attributes", *map(plain_text, names))
    known: Projection | None = _recall(key)
    if known is not None:
        return known
    for name in key[1:]:
        check_attribute_name(name)
    return MEMO.keep(key, _projection([(name,) for name in key[1:]]))


def parse_projection(expression: str, names: Names) -> Projection:
    """The projection that a ProjectionExpression describes."""
    cursor = Cursor(expression, names)
    paths = [cursor.path()]
    while cursor.accept(","):
        paths.append(cursor.path())
    if not cursor.done():
        raise NotCacheable(f"after a document path: {cursor.peek().text!r}")
    return _projection(paths)


def _projection(paths: list[Path]) -> Projection:
    _grow(paths)
    # Comparable only now: where two paths diverge they have two names or two indexes; anything else is a conflict.
    paths.sort()
    try:
        signature = encode(paths)
    except UnicodeEncodeError:
        raise NotCacheable("an attribute name is not text") from None
    # The paths are sorted, so a walk through the tree finds the indexes of a list in their order.
    return Projection(signature, tuple(paths), frozenset(str(path[0]) for path in paths), _grow(paths))


def _grow(paths: Iterable[Path]) -> _Tree:
    """The paths as a tree with None for leaves. DynamoDB refuses paths that overlap or conflict."""
    tree: _Tree = {}
    for path in paths:
        node = tree
        for part in path[:-1]:
            _check_conflict(node, part)
            below = node.setdefault(part, {})
            if below is None:
                raise NotCacheable("document paths overlap")
            node = below
        _check_conflict(node, path[-1])
        if path[-1] in node:
            raise NotCacheable("document paths overlap")
        node[path[-1]] = None
    return tree


def _check_conflict(node: _Tree, part: str | int) -> None:
    if node and isinstance(next(iter(node)), int) is not isinstance(part, int):
        raise NotCacheable("document paths conflict: one takes a value for a map, one for a list")


def _select(value: AttributeValue, tree: _Tree) -> AttributeValue | None:
    entries = value.get("M")
    if entries is not None:
        chosen = {}
        for part, below in tree.items():
            found = entries.get(part)
            if found is not None and below is not None:
                found = _select(found, below)
            if found is not None:
                chosen[part] = found
        return {"M": chosen} if chosen else None
    elements = value.get("L")
    if elements is not None:
        picked = []
        for part, below in tree.items():
            if isinstance(part, int) and part < len(elements):
                found = elements[part]
                if below is not None:
                    found = _select(found, below)
                if found is not None:
                    picked.append(found)
        return {"L": picked} if picked else None
    return None

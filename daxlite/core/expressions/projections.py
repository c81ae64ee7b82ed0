"""Projections: which parts of an item a read asks for.

An item is cached whole and projected on the way out, so one entry serves every projection of it. Therefore a
projection that DynamoDB would refuse must not be accepted here: the cached item would answer it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ..encoding import encode
from ..not_cacheable import NotCacheable
from ..values import AttributeValue
from .placeholders import Placeholders, check_attribute_name
from .tokens import Cursor, RawPath, tokenize

Path = tuple[str | int, ...]
"""A document path: names of attributes and map entries (str), indexes of lists (int)."""

_Tree = dict[str | int, "_Tree | None"]


@dataclass(frozen=True, slots=True)
class Projection:
    """A set of document paths. Two are equal if they select the same, however they were written.

    `signature` is the canonical form, one per set of paths, for use in a cache key. `paths` is sorted.
    """

    signature: bytes
    paths: tuple[Path, ...] = field(compare=False)
    attributes: frozenset[str] = field(compare=False, repr=False)
    _tree: _Tree = field(compare=False, repr=False)

    def select(self, item: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
        """See `project`."""
        selected: dict[str, AttributeValue] = {}
        for name, below in self._tree.items():
            value = item.get(name)  # type: ignore[arg-type]  # the first part of a path is always a name
            if value is not None and below is not None:
                value = _select(value, below)
            if value is not None:
                selected[name] = value  # type: ignore[index]
        return selected


def parse_projection(expression: str, placeholders: Placeholders) -> Projection:
    """The projection that a ProjectionExpression describes.

    >>> one = parse_projection("#l[0].x, id", Placeholders({"#l": "list"}))
    >>> one == parse_projection("id,#a[ 0 ] . x", Placeholders({"#a": "list"}))
    True
    >>> one.paths, sorted(one.attributes)
    ((('id',), ('list', 0, 'x')), ['id', 'list'])
    """
    if not isinstance(expression, str):
        raise NotCacheable("the expression is not a string")
    # Two memos: what the text says depends on the text alone, what it means also on the names. Names that other
    # expressions of the request use make no difference to either.
    aliases, _ = _parse(expression)
    return _resolve(expression, placeholders.names_of(aliases))


def projection_of_attributes(names: Sequence[str]) -> Projection:
    """The projection that the legacy AttributesToGet describes: literal names of top-level attributes.

    >>> projection_of_attributes(["a.b", "id"]).paths
    (('a.b',), ('id',))
    """
    if not isinstance(names, (list, tuple)) or not names:
        raise NotCacheable("AttributesToGet is empty or not a list")
    for name in names:
        check_attribute_name(name)
    return _of_attributes(tuple(names))


def project(item: dict[str, AttributeValue], projection: Projection) -> dict[str, AttributeValue]:
    """What `projection` selects of `item`, which is in DynamoDB's typed form.

    A path that leads nowhere gives nothing, not even empty parents. Elements of a list close up, in their order.
    The result may share values with `item`: the caller owns both.

    >>> item = {"id": {"S": "x"}, "l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]}, "m": {"M": {"k": {"NULL": True}}}}
    >>> project(item, parse_projection("l[2], l[0], m.absent", Placeholders()))
    {'l': {'L': [{'N': '0'}, {'N': '2'}]}}
    """
    return projection.select(item)


@lru_cache(maxsize=2048)
def _parse(expression: str) -> tuple[tuple[str, ...], tuple[RawPath, ...]]:
    cursor = Cursor(tokenize(expression))
    paths = [cursor.path()]
    while cursor.accept(","):
        paths.append(cursor.path())
    if not cursor.done():
        raise NotCacheable(f"after a document path: {cursor.peek().text!r}")
    return tuple(cursor.aliases), tuple(paths)


@lru_cache(maxsize=2048)
def _resolve(expression: str, names: tuple[str, ...]) -> Projection:
    aliases, raw_paths = _parse(expression)
    actual = dict(zip(aliases, names, strict=True))
    return _projection([tuple([actual[p.text] if isinstance(p, tuple) else p for p in path]) for path in raw_paths])


@lru_cache(maxsize=2048)
def _of_attributes(names: tuple[str, ...]) -> Projection:
    return _projection([(name,) for name in names])


def _projection(paths: Iterable[Path]) -> Projection:
    paths = list(paths)
    _grow(paths)
    # Comparable only now: where two paths part they have two names or two indexes, as anything else is a conflict.
    paths.sort()
    try:
        signature = encode(paths)
    except UnicodeEncodeError:
        raise NotCacheable("an attribute name is not text") from None
    # From sorted paths, so that walking the tree meets the indexes of a list in their order.
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

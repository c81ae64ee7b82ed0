"""Key schemas: which attributes form the key of a table or an index, and in which partition of it an item lies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .checks import is_name, shown
from .encoding import decode, encode
from .not_cacheable import NotCacheable
from .values import key_scalar, plain_text


@dataclass(frozen=True, slots=True)
class KeySchema:
    """The key attributes of a table or an index, by name.

    A table or a local index has one `hash` attribute and at most one `range` attribute; a global index may have several
    of each (AWS: "Multi-attribute keys").

    >>> KeySchema.of("pk", "sk").names
    ('pk', 'sk')
    """

    hash: tuple[str, ...]
    range: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind, part in (("hash", self.hash), ("range", self.range)):
            if not isinstance(part, tuple):
                raise TypeError(
                    f"{kind} is {shown(part)}; it must be a tuple of names; KeySchema.of takes them one by one"
                )
            for name in part:
                if not is_name(name):
                    raise ValueError(f"{kind} has {shown(name)} in it; it must have names of attributes")
        if not self.hash:
            raise ValueError("hash is empty; it must have the name of the partition key's attribute")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"hash and range have one name twice; all must be different: {', '.join(self.names)}")

    @classmethod
    def of(cls, hash: str, range: str | None = None) -> "KeySchema":
        """A schema of single attributes: a partition key and, if there is one, a sort key."""
        return cls((hash,), () if range is None else (range,))

    @property
    def names(self) -> tuple[str, ...]:
        return self.hash + self.range

    def partition_of(self, attributes: Mapping[str, Any] | None) -> bytes | None:
        """The partition in which an item with these attributes lies; None if one of its key attributes is missing."""
        if attributes is None:
            return None
        try:
            values = [attributes[name] for name in self.hash]
        except KeyError:
            return None
        return partition_value(values)

    def holds(self, attributes: Mapping[str, Any]) -> bool:
        """Whether an item with these attributes is in the index: indexes are sparse."""
        return all(name in attributes for name in self.names)


@dataclass(frozen=True, slots=True, repr=False)
class TableSchema:
    """The keys of a table and its indexes: they decide which queries a change affects.

    >>> TableSchema(KeySchema.of("pk", "sk"), {"by_day": KeySchema.of("day", "total")})
    TableSchema(pk, sk; by_day: day, total)
    >>> TableSchema(KeySchema.of("pk", "sk"), local_indexes={"by_total": KeySchema.of("pk", "total")})
    TableSchema(pk, sk; by_total: pk, total)
    """

    key: KeySchema
    global_indexes: Mapping[str, KeySchema] = field(default_factory=dict)
    local_indexes: Mapping[str, KeySchema] = field(default_factory=dict)
    """A local index has the partition key of its table and a sort key of its own."""

    def __post_init__(self) -> None:
        if not isinstance(self.key, KeySchema):
            raise TypeError(f"key is {shown(self.key)}; it must be a KeySchema")
        _check_indexes("global_indexes", self.global_indexes)
        _check_indexes("local_indexes", self.local_indexes)
        for name, schema in self.local_indexes.items():
            if name in self.global_indexes:
                raise ValueError(f"{name!r} is in global_indexes and in local_indexes; it must be in one of them")
            if schema.hash != self.key.hash:
                raise ValueError(
                    f"local_indexes[{name!r}] is {schema!r}; a local index has the partition key of its table, "
                    f"which is {', '.join(self.key.hash)}"
                )

    def __repr__(self) -> str:
        indexes = [
            f"{name}: {', '.join(schema.names)}"
            for kind in (self.global_indexes, self.local_indexes)
            for name, schema in kind.items()
        ]
        return f"TableSchema({'; '.join([', '.join(self.key.names), *indexes])})"

    @property
    def indexes(self) -> dict[str, KeySchema]:
        """The keys of all indexes, by name."""
        return {**self.global_indexes, **self.local_indexes}

    def keys_of(self, index: str | None) -> KeySchema | None:
        """The keys of an index, or of the table itself for None; None for an index that is not known."""
        if index is None:
            return self.key
        return self.global_indexes.get(index) or self.local_indexes.get(index)

    def extends(self, other: "TableSchema") -> bool:
        """Whether this is the other schema, apart from indexes that were added. Raises TypeError for what is none."""
        if not isinstance(other, TableSchema):
            raise TypeError(f"other is {shown(other)}; it must be a TableSchema")
        return (
            self.key == other.key
            and other.global_indexes.items() <= self.global_indexes.items()
            and other.local_indexes.items() <= self.local_indexes.items()
        )


def _check_indexes(parameter: str, indexes: object) -> None:
    if not isinstance(indexes, Mapping):
        raise TypeError(f"{parameter} is {shown(indexes)}; it must map names to KeySchema")
    for name, schema in indexes.items():
        if not is_name(name) or not isinstance(schema, KeySchema):
            raise TypeError(f"{parameter}[{shown(name)}] is {shown(schema)}; it must be a KeySchema under its name")


def partition_value(values: Iterable[Mapping[str, Any]]) -> bytes:
    """The canonical form of a partition key. The values are encoded, not joined, so no two keys have one form."""
    try:
        return encode([key_scalar(value) for value in values])
    except UnicodeEncodeError:
        raise NotCacheable("text that is not Unicode") from None


def item_key(key: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The canonical form of a primary key: the same for any order of its attributes and any notation of its numbers.

    It needs no schema, because it holds the names of the attributes, sorted.

    >>> item_key({"a": {"S": "x"}, "b": {"N": "1.0"}}) == item_key({"b": {"N": "1"}, "a": {"S": "x"}})
    True
    """
    if not isinstance(key, dict):  # botocore accepts no other mapping
        raise NotCacheable("key")
    parts: list[tuple[str, str, str | bytes]] = []
    for name, value in key.items():
        # Most key attributes are strings. Without this short way a hit would spend much of its time here.
        if type(name) is str and type(value) is dict and len(value) == 1 and type(text := value.get("S")) is str:
            parts.append((name, "S", text))
        else:
            parts.append((plain_text(name), *key_scalar(value)))
    if len(parts) > 1:
        parts.sort()
    elif not parts:
        raise NotCacheable("key")
    try:
        return encode(parts)
    except UnicodeEncodeError:
        raise NotCacheable("key") from None


def key_of(canonical: bytes) -> dict[str, Any]:
    """The primary key that has this canonical form.

    >>> key_of(item_key({"b": {"N": "1.0"}, "a": {"S": "x"}}))
    {'a': {'S': 'x'}, 'b': {'N': '1'}}
    """
    return {name: {kind: content} for name, kind, content in decode(canonical)}


def schema_of(description: Mapping[str, Any]) -> TableSchema:
    """The schema in the `Table` of a DescribeTable response."""
    return TableSchema(
        key=_key_schema(description["KeySchema"]),
        global_indexes=_index_schemas(description.get("GlobalSecondaryIndexes")),
        local_indexes=_index_schemas(description.get("LocalSecondaryIndexes")),
    )


def _index_schemas(indexes: Iterable[Mapping[str, Any]] | None) -> dict[str, KeySchema]:
    return {index["IndexName"]: _key_schema(index["KeySchema"]) for index in indexes or ()}


def _key_schema(elements: Iterable[Mapping[str, str]]) -> KeySchema:
    by_type: dict[str, list[str]] = {"HASH": [], "RANGE": []}
    for element in elements:
        by_type[element["KeyType"]].append(element["AttributeName"])
    return KeySchema(tuple(by_type["HASH"]), tuple(by_type["RANGE"]))

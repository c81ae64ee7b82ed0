"""Hypothesis strategies for what a request is made of.

- `attribute_names`: any text DynamoDB takes for an attribute name, the awkward kinds (dots, reserved words, digits,
  placeholders' first letters, non-ASCII) often.
- `bare_names`: names that may stand in an expression as they are.
- `attribute_values`: typed values as they go over the wire, nested; scalars and sets only with `scalars` and `sets`.
- `items`: whole items in that form, with few names, so that paths into them hit.
"""

import string
from typing import Any

from hypothesis import strategies as st

from daxlite.core.expressions.reserved import RESERVED_WORDS

AttributeValue = dict[str, Any]

FEW_NAMES = ("a", "b", "c", "a.b", "name", "0", "#a", "ü")

_integers = st.integers(-99, 99).map(str)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)

attribute_names: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(FEW_NAMES),
    st.sampled_from(("status", "Size", "COUNT", "date", "in", "between")),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
)

bare_names: st.SearchStrategy[str] = st.builds(
    "".join,
    st.tuples(st.sampled_from(string.ascii_letters), st.text(string.ascii_letters + string.digits + "_", max_size=5)),
).filter(lambda name: name.upper() not in RESERVED_WORDS)

numbers: st.SearchStrategy[str] = st.one_of(
    st.integers(-(10**37), 10**37).map(str),
    st.decimals(-(10**9), 10**9, places=3).map(str),
)

scalars: st.SearchStrategy[AttributeValue] = st.one_of(
    _texts.map(lambda text: {"S": text}),
    numbers.map(lambda number: {"N": number}),
    st.binary(max_size=8).map(lambda data: {"B": data}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
)

sets: st.SearchStrategy[AttributeValue] = st.one_of(
    st.lists(_texts, min_size=1, max_size=3, unique=True).map(lambda texts: {"SS": texts}),
    st.lists(st.integers(-99, 99), min_size=1, max_size=3, unique=True).map(
        lambda ints: {"NS": [str(i) for i in ints]}
    ),
    st.lists(st.binary(max_size=4), min_size=1, max_size=3, unique=True).map(lambda data: {"BS": data}),
)

attribute_values: st.SearchStrategy[AttributeValue] = st.recursive(
    scalars | sets,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda elements: {"L": elements}),
        st.dictionaries(st.sampled_from(FEW_NAMES), inner, max_size=4).map(lambda entries: {"M": entries}),
    ),
    max_leaves=12,
)

items: st.SearchStrategy[dict[str, AttributeValue]] = st.dictionaries(
    st.sampled_from(FEW_NAMES), attribute_values, max_size=5
)

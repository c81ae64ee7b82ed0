"""What an item takes on the server is what docs/shared.md says."""

from pathlib import Path

import daxlite
from benchmarks.items import TABLE, item
from benchmarks.servers import instant_client
from daxlite.core.encoding import encode_exactly
from tests.valkey import Valkey

PAGE = Path(__file__).parents[2] / "docs" / "shared.md"
STATE, VALUE = 160, 210


def test_the_bytes_of_a_state_and_of_a_value(own_valkey: Valkey) -> None:
    with own_valkey.client() as server:
        server.flushall()
        cache = daxlite.Cache(shared=daxlite.Shared(own_valkey.url, namespace="shop", account="123456789012", budget=5))
        client = daxlite.wrap(instant_client(PutItem=lambda params: {}), cache)
        for number in range(20):
            client.put_item(TableName=TABLE, Item=item(number=number))
        keys = [*server.scan_iter("shop:*", count=1000)]
        sizes = {key: server.memory_usage(key, samples=0) for key in keys}
    states = sorted(sizes[key] for key in keys if key.endswith(b":state"))
    values = sorted(sizes[key] - len(encode_exactly(item())) for key in keys if not key.endswith(b":state"))
    assert len(values) == 20
    assert states[len(states) // 2] <= STATE
    assert values[len(values) // 2] <= VALUE + 10  # allocators round up
    text = PAGE.read_text()
    assert f"state takes {STATE} bytes" in text
    assert f"some {VALUE} bytes" in text

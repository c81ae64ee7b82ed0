"""The other process: it takes orders on its standard input, and answers each with a line.

python -m benchmarks.shared.process URL ENDPOINT NAMESPACE
get number    ->    version seconds
"""

import sys
from time import monotonic

import boto3

import daxlite
from benchmarks.items import TABLE, key
from benchmarks.servers import connection


def main(url: str, endpoint: str, namespace: str) -> None:
    cache = daxlite.Cache(shared=daxlite.Shared(url, namespace, budget=1.0))
    client = daxlite.wrap(boto3.client("dynamodb", **connection(endpoint)), cache=cache)
    for line in sys.stdin:
        _, number = line.split()
        began = monotonic()
        item = client.get_item(TableName=TABLE, Key=key(number=int(number))).get("Item", {})
        print(item.get("version", {}).get("N", "0"), monotonic() - began, flush=True)
    cache.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Wrap an existing client, and see what that gives: `python examples/wrap_a_client.py TABLE '{"pk": {"S": "o#1"}}'`.

It reads one item twice from a table of yours, with the credentials and the region that boto3 finds.
"""

import json
import sys
import time

import boto3

import daxlite


def main(table: str, key: dict[str, dict[str, str]]) -> None:
    cache = daxlite.Cache(daxlite.CacheConfig(item_ttl=60))
    client = daxlite.wrap(boto3.client("dynamodb"), cache=cache)
    for _ in range(2):
        started = time.perf_counter()
        response = client.get_item(TableName=table, Key=key)
        source = response["ResponseMetadata"]["HTTPHeaders"].get("x-cache", "DynamoDB")
        print(f"{(time.perf_counter() - started) * 1e6:10.1f} us  from {source}: {response.get('Item')}")
    print(cache.stats().total)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("""usage: python examples/wrap_a_client.py TABLE '{"pk": {"S": "o#1"}}'""")
    main(sys.argv[1], json.loads(sys.argv[2]))

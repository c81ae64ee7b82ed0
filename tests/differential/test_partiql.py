"""PartiQL: statements read past the cache, and what they write is seen by every other read."""

# ruff: noqa: S608 - what the statements are put together from is the suite's own

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS, PLAIN
from tests.differential.test_query import OF_ADA
from tests.differential.test_query_indexes import OPEN


def watch(steps: Steps) -> None:
    for number in (1, 2, 70):
        steps.watch("get_item", Key={"pk": {"S": f"key-{number}"}})
    steps.watch("query", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "key-1"}})
    steps.watch("scan")


def text(value: str) -> dict[str, Any]:
    return {"S": value}


@scenario(PLAIN, "partiql")
def test_select(steps: Steps) -> None:
    one = f"""SELECT * FROM "{steps.name}" WHERE pk = ?"""
    steps.watch("execute_statement", Statement=one, Parameters=[text("key-1")], hit=False)
    steps.watch("execute_statement", Statement=one, Parameters=[text("nobody")], hit=False)
    steps.watch("execute_statement", Statement=f"""SELECT * FROM "{steps.name}" """, hit=False)
    steps.write("put_item", Item={"pk": text("key-1"), "value": text("put")})
    steps.write("delete_item", Key={"pk": text("key-1")})


@scenario(PLAIN, "partiql")
def test_update(steps: Steps) -> None:
    watch(steps)
    change = f"""UPDATE "{steps.name}" SET title = ? WHERE pk = ?"""
    for title in ("one", "two"):
        steps.write("execute_statement", Statement=change, Parameters=[text(title), text("key-1")])


@scenario(PLAIN, "partiql_writes")
def test_insert_update_delete(steps: Steps) -> None:
    watch(steps)
    table = f'"{steps.name}"'
    new = f"INSERT INTO {table} VALUE {{'pk': ?, 'title': ?}}"
    steps.write("execute_statement", Statement=new, Parameters=[text("key-70"), text("inserted")])
    change = f"UPDATE {table} SET title = ? WHERE pk = ?"
    steps.write("execute_statement", Statement=change, Parameters=[text("updated"), text("key-70")])
    steps.write("execute_statement", Statement=change, Parameters=[text("updated"), text("key-1")])
    gone = f"DELETE FROM {table} WHERE pk = ?"
    steps.write("execute_statement", Statement=gone, Parameters=[text("key-70")])
    steps.write("execute_statement", Statement=gone, Parameters=[text("key-2")])


@scenario(ORDERS, "partiql")
def test_indexes_follow(steps: Steps) -> None:
    steps.watch("query", **OF_ADA)
    steps.watch("query", **OPEN)
    change = f"""UPDATE "{steps.name}" SET stage = ? WHERE customer = ? AND seq = ?"""
    for stage in ("paid", "open"):
        parameters = [text(stage), text("ada"), {"N": "1"}]
        steps.write("execute_statement", Statement=change, Parameters=parameters)


@scenario(PLAIN, "partiql")
def test_batch(steps: Steps) -> None:
    watch(steps)
    select = f"""SELECT * FROM "{steps.name}" WHERE pk = ?"""
    reads = [{"Statement": select, "Parameters": [text(pk)]} for pk in ("key-1", "nobody")]
    steps.watch("batch_execute_statement", Statements=reads, hit=False)
    change = f"""UPDATE "{steps.name}" SET title = ? WHERE pk = ?"""
    writes = [{"Statement": change, "Parameters": [text("new"), text(f"key-{number}")]} for number in (1, 2)]
    steps.write("batch_execute_statement", Statements=writes)


@scenario(PLAIN, "partiql", "transactions")
def test_transaction(steps: Steps) -> None:
    watch(steps)
    change = f"""UPDATE "{steps.name}" SET title = ? WHERE pk = ?"""
    writes = [{"Statement": change, "Parameters": [text("new"), text(f"key-{number}")]} for number in (1, 2)]
    steps.write("execute_transaction", TransactStatements=writes)


@scenario(PLAIN, "partiql")
def test_bad_statements(steps: Steps) -> None:
    watch(steps)
    steps.attempt("execute_statement", Statement="DROP TABLE everything")
    steps.look()
    steps.attempt("execute_statement", Statement="""SELECT * FROM "no-such-table" """)
    insert = f"""INSERT INTO "{steps.name}" VALUE {{'pk': ?}}"""
    steps.attempt("execute_statement", Statement=insert, Parameters=[text("key-1")])
    steps.look()

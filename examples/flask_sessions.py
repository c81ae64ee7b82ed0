"""Sessions of Flask in a wrapped table: `python examples/flask_sessions.py PREFIX`.

It makes a small table, whose name begins with PREFIX, with the credentials and the region that boto3 finds, and deletes
it at the end. Without an AWS account: `moto_server -p 5000`, and
AWS_ENDPOINT_URL_DYNAMODB=http://localhost:5000 with any credentials and region.
It needs `pip install flask-session`.
"""

import sys
from uuid import uuid4

import boto3
from flask import Flask, session
from flask_session import Session

import daxlite


def make_app(table: str, cache: daxlite.Cache) -> Flask:
    """A shop whose sessions are in this table."""
    app = Flask("shop")
    app.config["SESSION_TYPE"] = "dynamodb"
    app.config["SESSION_DYNAMODB_TABLE"] = table
    app.config["SESSION_DYNAMODB"] = daxlite.wrap(boto3.resource("dynamodb"), cache=cache)
    Session(app)

    @app.post("/basket/<item>")
    def add(item: str) -> dict[str, list[str]]:
        session["basket"] = [*session.get("basket", []), item]
        return {"basket": session["basket"]}

    @app.get("/basket")
    def show() -> dict[str, list[str]]:
        return {"basket": session.get("basket", [])}

    return app


def main(prefix: str) -> None:
    table, cache = f"{prefix}-{uuid4().hex[:8]}", daxlite.Cache()
    app = make_app(table, cache)
    try:
        browser = app.test_client()
        browser.post("/basket/tea")
        browser.post("/basket/cup")
        for _ in range(20):
            basket = browser.get("/basket").get_json()
        print(basket)
        print("another browser:", app.test_client().get("/basket").get_json())
        items = cache.stats().tables[table]["item"]
        print(f"sessions were read {items.hits + items.misses} times; DynamoDB was asked {items.misses} times")
    finally:
        boto3.client("dynamodb").delete_table(TableName=table)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/flask_sessions.py PREFIX")
    main(sys.argv[1])

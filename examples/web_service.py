"""A web service of four processes that share one cache: `python examples/web_service.py TABLE redis://localhost:6379/0`.

It keeps notes in a table of yours that has one key attribute, the string pk, with the credentials and the region that
boto3 finds. What one worker reads the others find, and what one writes none of them serves stale:

    curl -X POST localhost:8000/notes/a -H 'content-type: application/json' -d '{"text": "hello"}'
    curl localhost:8000/notes/a
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

import daxlite


class Note(BaseModel):
    text: str


def make_app(client: Any, table: str, cache: daxlite.Cache) -> FastAPI:
    """The service. client: one that is wrapped with this cache."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        cache.close()  # what Redis could not be told yet it is told now

    app = FastAPI(lifespan=lifespan)

    # Functions that are not async run in threads, so that none waits for another one's call of DynamoDB.
    @app.post("/notes/{pk}")
    def write(pk: str, note: Note) -> dict[str, Any]:
        client.put_item(TableName=table, Item={"pk": {"S": pk}, "text": {"S": note.text}})
        return {"worker": os.getpid()}

    @app.get("/notes/{pk}")
    def read(pk: str) -> dict[str, Any]:
        item = client.get_item(TableName=table, Key={"pk": {"S": pk}}).get("Item")
        if item is None:
            raise HTTPException(404)
        return {"worker": os.getpid(), "text": item["text"]["S"]}

    return app


def app() -> FastAPI:
    """The service of one worker, which makes its cache and its connections itself."""
    shared = daxlite.Shared(os.environ["NOTES_REDIS"], namespace="notes")
    cache = daxlite.Cache(shared=shared)
    client = daxlite.wrap(boto3.client("dynamodb"), cache=cache)
    return make_app(client, os.environ["NOTES_TABLE"], cache)


def main(table: str, redis_url: str) -> None:
    os.environ |= {"NOTES_TABLE": table, "NOTES_REDIS": redis_url}
    uvicorn.run("web_service:app", factory=True, workers=4, app_dir=str(Path(__file__).parent))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/web_service.py TABLE redis://localhost:6379/0")
    main(*sys.argv[1:])

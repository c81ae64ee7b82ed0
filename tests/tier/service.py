"""The web service of the examples, as its test runs it: `uvicorn tests.tier.service:app --factory --workers 4`."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from fastapi import FastAPI

import daxlite
from examples.web_service import make_app
from tests import servers


def app() -> FastAPI:
    """The service of one worker."""
    asked: dict[str, Any] = json.loads(os.environ["NOTES"])
    shared = daxlite.Shared(asked["url"], namespace=asked["namespace"], budget=asked["budget"])
    cache = daxlite.Cache(shared=shared)
    client = daxlite.wrap(boto3.client("dynamodb", **servers.connection(asked["endpoint"])), cache=cache)
    return make_app(client, asked["table"], cache)

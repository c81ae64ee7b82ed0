"""The boto3 clients of the demo."""

import os
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from daxlite.demo.settings import Client

REGION = "us-east-1"
# By default botocore tries a DynamoDB call ten times, which takes half a minute if there is no server.
FEW_RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 3})
PLACEHOLDERS = {"aws_access_key_id": "daxlite", "aws_secret_access_key": "daxlite"}


def embedded_client(endpoint_url: str) -> Client:
    """A client of the embedded server. It reads no AWS settings, neither from files nor from the environment."""
    config = FEW_RETRIES.merge(
        Config(
            proxies={},
            use_fips_endpoint=False,
            use_dualstack_endpoint=False,
            account_id_endpoint_mode="disabled",
        )
    )
    return _client(_session_without_settings(), endpoint_url, region_name=REGION, config=config, **PLACEHOLDERS)


@cache
def _session_without_settings() -> boto3.Session:
    """One for all clients, which then share what botocore has read of DynamoDB's model."""
    core = botocore.session.Session(
        session_vars={
            # name: (key in the config file, environment variable, default, conversion)
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    return boto3.Session(botocore_session=core)


def external_client(endpoint_url: str) -> Client:
    """A client of an external server, with the AWS settings of the user, if there are any."""
    session = boto3.Session()
    credentials = {} if session.get_credentials() else PLACEHOLDERS
    region = session.region_name or REGION
    return _client(session, endpoint_url, region_name=region, config=FEW_RETRIES, **credentials)


def _client(session: boto3.Session, endpoint_url: str, **settings: Any) -> Client:
    return session.client("dynamodb", endpoint_url=endpoint_url, **settings)

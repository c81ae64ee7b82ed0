"""What the server of processes imports once for all of them."""

import boto3
import redis  # noqa: F401

import tests.tier.soaking
import tests.tier.worker  # noqa: F401

# botocore reads its models, and keeps them with the module of the loader.
boto3.client(
    "dynamodb",
    region_name="us-east-1",
    endpoint_url="http://127.0.0.1:9",
    aws_access_key_id="testing",
    aws_secret_access_key="testing",
).close()

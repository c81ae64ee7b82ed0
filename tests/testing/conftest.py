"""Tests of what people's tests use."""

import boto3
import pytest


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's own session is made anew: moto knows the clients of none that was made before it was imported."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

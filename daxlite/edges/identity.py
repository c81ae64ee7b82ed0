"""Whose credentials a client has, as a name of a principal: under `install`, clients of different credentials do not
share answers, although daxlite cannot know which policies hold for them.

An access key with its secret makes a name, the same in every process. Credentials that are refreshed change their
access key, so that they are told apart by the object that refreshes them, which the clients of a session share. A name
of that kind is one of this process.
"""

import os
from hashlib import blake2b
from typing import Any, Final
from weakref import WeakKeyDictionary

from .scope import credentials_of

_OF_THE_HOST: Final = ("iam-role", "container-role")
"""Where an instance, a task or a pod gets its one role from: whichever session asks, it is the same."""
_WEB_IDENTITY: Final = "assume-role-with-web-identity"

_names: Final[WeakKeyDictionary[object, str]] = WeakKeyDictionary()
_names_of_sources: Final[dict[object, str]] = {}


def principal_of(client: Any) -> str:
    """The name that stands for the credentials of a client. It tells nothing about them."""
    credentials = credentials_of(client)
    # Not the property of that name, which may fetch credentials.
    held = getattr(credentials, "__dict__", {})
    access_key, secret = held.get("access_key"), held.get("secret_key")
    if isinstance(access_key, str) and isinstance(secret, str):
        # With the secret: who knows an access key alone, which is none, is not answered by DynamoDB either.
        key = blake2b(secret.encode(), person=b"daxlite-secret").digest()
        return "key:" + blake2b(access_key.encode(), digest_size=16, key=key, person=b"daxlite-whose").hexdigest()
    if credentials is None:
        return "unsigned"
    source = _source_of(credentials)
    if source is not None:
        return _names_of_sources.setdefault(source, _new_name())
    try:
        return _names.setdefault(credentials, _new_name())
    except TypeError:  # it takes no weak references
        return _new_name()


def is_of_this_process(principal: str) -> bool:
    """Whether another process has another name for the same principal."""
    return principal.startswith("refreshed:")


def _new_name() -> str:
    return "refreshed:" + os.urandom(16).hex()


def _source_of(credentials: Any) -> object:
    """Where credentials that are refreshed come from, if that tells whose they are; else None.

    A program may have a session for each thread, with the role of its host in all of them.
    """
    method = getattr(credentials, "method", None)
    if method in _OF_THE_HOST:
        return method
    if method == _WEB_IDENTITY:
        # What botocore's own cache of credentials goes by, and the file with the token.
        fetcher = getattr(getattr(credentials, "_refresh_using", None), "__self__", None)
        key = getattr(fetcher, "_cache_key", None)
        path = getattr(getattr(fetcher, "_web_identity_token_loader", None), "_web_identity_token_path", None)
        return (method, key, path) if isinstance(key, str) and isinstance(path, str) else None
    return None

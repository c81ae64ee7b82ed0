"""Where a client looks up table names, and with whose credentials."""

from typing import Any
from weakref import WeakKeyDictionary

from botocore.credentials import Credentials

from ..core.tables import Scope, canonical_endpoint


def scope_of(client: Any, principal: str | None = None, only: frozenset[str] | None = None) -> Scope:
    """Where the client looks up table names. only: the names of the tables that it is answered from the cache; None for
    all."""
    credentials = credentials_of(client)
    endpoint, region = canonical_endpoint(client.meta.endpoint_url), client.meta.region_name
    if type(credentials) is Credentials or _is_static_of_asyncio(type(credentials)):
        account = getattr(credentials, "account_id", None)  # botocore has it since 1.35
        return Scope(endpoint, region, credentials.access_key, account or None, principal, only)
    # The account of credentials that are refreshed, if they have been fetched: the property would fetch them.
    account = getattr(credentials, "__dict__", {}).get("_account_id")
    return Scope(endpoint, region, _token_of(credentials), account or None, principal, only)


def _is_static_of_asyncio(kind: type) -> bool:
    """Whether it is aiobotocore's class for credentials that never change, which is not imported here."""
    return kind.__module__ == "aiobotocore.credentials" and kind.__name__ == "AioCredentials"


def credentials_of(client: Any) -> Any:
    """The client's credentials, as botocore has them; None if it has none. To read them may fetch them."""
    # botocore has no public way to ask a client for its credentials.
    return getattr(getattr(client, "_request_signer", None), "_credentials", None)


_tokens: WeakKeyDictionary[object, object] = WeakKeyDictionary()


def _token_of(credentials: object) -> object:
    """What stands for credentials that must not be read, for that may fetch them; clients of one session share them.

    It is not the object itself, which may refer to the client, and through it to the cache, which would never be freed.
    """
    try:
        return _tokens.setdefault(credentials, object())
    except TypeError:  # None, or an object that takes no weak references
        return credentials

"""A DynamoDB client that answers from a cache."""

import inspect
from typing import Any

import wrapt
from botocore.client import BaseClient

from .calls.caller import Caller


class CachingClient(wrapt.BaseObjectProxy[BaseClient]):
    """A stand-in for a boto3 client: the same attributes, methods and type, and one method of its own.

    Whatever a client can do ends in `_make_api_call`: its operations, and the paginators and waiters that it
    makes. So it is enough to take that call over, provided that all of botocore's methods run on the stand-in and
    not on the client that it stands for; `caching_client` sees to that.
    """

    def __init__(self, client: BaseClient, caller: Caller) -> None:
        super().__init__(client)
        self._self_caller = caller

    def __repr__(self) -> str:
        return f"<daxlite: {self.__wrapped__!r}>"


def caching_client(client: BaseClient, caller: Caller) -> Any:
    """The client with a cache around it; the client itself stays as it is.

    botocore makes a class for each client. Its public methods, bound to the stand-in, find `_make_api_call` there:
    positional arguments are refused, documented and paginated just as botocore does it.
    """
    methods: dict[str, Any] = {
        name: method
        for name, method in inspect.getmembers(type(client), inspect.isfunction)
        if not name.startswith("_")
    }
    # Found on the class: an attribute of a stand-in is looked up in two objects, and this is each call's way.
    methods["_make_api_call"] = staticmethod(caller.call)
    return type(type(client).__name__, (CachingClient,), methods)(client, caller)

"""Whether a reply of DynamoDB's arrived whole."""

import zlib
from collections.abc import Mapping
from typing import Any, Final

_EMPTY: Final = b"{}"
"""The body of a reply without members."""


class BrokenReply(Exception):  # noqa: N818 - what is meant is the reply
    """A reply did not arrive whole: nothing that it lacks may be believed. The application gets it as it is.

    Raised inside the steps of a call, which so store nothing, and take a write for one of unknown outcome.
    """

    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__("a reply did not arrive whole")
        self.response = response


def is_whole(body: bytes, headers: Mapping[str, Any]) -> bool:
    """Whether a body has the length and the checksum that are in its headers; where neither is there, it is believed.

    botocore checks the same and tries again, but in its "standard" retry mode it returns the reply without members and
    without an error once its attempts are used up.

    >>> is_whole(b"{}", {"content-length": "2", "x-amz-crc32": "2745614147"}), is_whole(b"", {"content-length": "2"})
    (True, False)
    """
    if "content-encoding" in headers:  # both are of the compressed body
        return True
    return _says(headers, "content-length", len(body)) and _says(headers, "x-amz-crc32", zlib.crc32(body))


def may_be_whole(response: Mapping[str, Any]) -> bool:
    """As `is_whole`, for a response of which the body was not seen: one without members must have had an empty body."""
    metadata = response.get("ResponseMetadata", {})
    return len(response) > ("ResponseMetadata" in response) or is_whole(_EMPTY, metadata.get("HTTPHeaders", {}))


def _says(headers: Mapping[str, Any], name: str, value: int) -> bool:
    return name not in headers or str(headers[name]) == str(value)

"""`daxlite follow`: a process that keeps a shared tier fresh. `cli.py` has its arguments."""

import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from ..core.hidden import Hidden
from ..edges.cache import Cache
from ..edges.shared import Shared
from ..feeds.clients import Clients
from ..feeds.errors import EndedError, StreamMissingError, code_of
from ..feeds.follower import Follower
from ..feeds.following import Settings
from ..feeds.streams.reader import Start
from ..latch import Latch
from ..shared.errors import Unavailable
from .health import HealthFile
from .output import Output
from .progress import Rates, behind, troubles

BUDGET: Final = 0.5
"""Seconds for one step with Redis. No reader waits for this process, so that it may wait longer than they do."""
TICK: Final = 1.0
"""Seconds between two looks at the feeds."""
CLIENT: Final = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
"""Of DynamoDB's clients. A feed tries again by itself."""
_DENIED: Final = frozenset({"AccessDeniedException", "UnrecognizedClientException", "AccessDenied"})


class Exit(IntEnum):
    """How the command ends."""

    ASKED = 0
    FAULT = 1
    """A feed ended for a reason that is not known: a fault in daxlite. It is logged."""
    NOT_BEGUN = 2
    """As for wrong arguments: no such table, no stream, no permission, no Redis."""
    GAPS = 3
    """It ended as asked, and changes were lost before."""
    STREAM_LOST = 4


class Options(Hidden, Struct, frozen=True):
    """What the command line says."""

    tables: Sequence[str]
    shared: Shared
    region: str | None = None
    endpoint_url: str | None = None
    poll: float = 1.0
    start: Start | None = None
    look_every: float = 60.0
    health_file: Path | None = None

    @property
    def settings(self) -> Settings:
        """How each feed is to follow."""
        return Settings(
            self.start or "latest",
            self.poll,
            needs_checkpoint=self.start is None,
            is_patient=False,
            needs_tier=True,
            describe_every=self.look_every,
        )


def run(options: Options, output: Output) -> Exit:
    """Follow until SIGTERM or SIGINT, or until a stream is lost."""
    stop = Latch()
    with output, _logged_to(output), _signals(stop.open):
        status, text = _run(options, output, stop)
        output.ended(status, text)
    return status


def _run(options: Options, output: Output, stop: Latch) -> tuple[Exit, str]:
    health = HealthFile(options.health_file, time.monotonic, time.time)
    try:
        health.check()
    except OSError as error:
        return Exit.NOT_BEGUN, f"could not begin: the health file cannot be written: {error}"
    cache = Cache(shared=options.shared)
    try:
        session = boto3.Session(region_name=options.region)
        client = session.client("dynamodb", endpoint_url=options.endpoint_url, config=CLIENT)
        follower = Follower(cache, options.tables, Clients(client), options.settings)
        stop.add_callback(follower.stop)
        follower.begin()
    except Exception as error:  # noqa: BLE001 - what is not understood is said as it is
        cache.close()
        if stop.is_open:
            return Exit.ASKED, "ended as asked, before it had begun"
        return Exit.NOT_BEGUN, f"could not begin: {_reason(error)}"
    try:
        output.begun(options.tables)
        _watch(follower, cache, options.poll, output, health, stop)
        follower.close()
        return _outcome(follower, stop)
    finally:
        follower.close()
        health.remove()
        cache.close()


def _watch(follower: Follower, cache: Cache, poll: float, output: Output, health: HealthFile, stop: Latch) -> None:
    """Show how far the feeds are, until they are to end or one has ended."""
    rates, shown_at, taken_at = Rates(), time.monotonic(), time.monotonic()
    rates.progress(follower.stats(), shown_at, time.time())
    while not stop.is_open and follower.is_alive and not isinstance(follower.error, StreamMissingError):
        now, wall, stats = time.monotonic(), time.time(), follower.stats()
        shared = cache.stats().shared
        if shared is None or not shared.pending:
            taken_at = now
        if now - shown_at >= output.every:
            shown_at = now
            output.show(rates.progress(stats, now, wall))
        seconds = behind(stats, wall)
        health.write(seconds, troubles(seconds, poll=poll, pending=now - taken_at))
        stop.wait(TICK)


def _outcome(follower: Follower, stop: Latch) -> tuple[Exit, str]:
    error, gaps = follower.error, sum([each.gaps for each in follower.stats().values()])
    if isinstance(error, StreamMissingError):
        return Exit.STREAM_LOST, f"a stream was lost: {error}"
    if error is not None or not stop.is_open:
        return Exit.FAULT, f"a feed has failed: {type(error).__name__}"
    if gaps:
        return Exit.GAPS, f"ended as asked; there {'was 1 gap' if gaps == 1 else f'were {gaps:,} gaps'}"
    return Exit.ASKED, "ended as asked"


def _reason(error: Exception) -> str:
    """Why the command could not begin, on one line."""
    match error:
        case Unavailable():
            return f"Redis cannot be used: {error}"
        case ClientError() if code_of(error) in _DENIED:
            return (
                f"{error} (it needs dynamodb:DescribeTable, dynamodb:DescribeStream, dynamodb:GetShardIterator and "
                "dynamodb:GetRecords)"
            )
        case StreamMissingError() | ClientError() | BotoCoreError() | EndedError():
            return " ".join(str(error).split())
    return f"{type(error).__name__}: {error}"


@contextmanager
def _signals(end: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT end the command."""
    before: dict[signal.Signals, Any] = {
        number: signal.signal(number, lambda *_: end()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _logged_to(output: Output) -> Iterator[None]:
    """daxlite's messages go where the command's output goes."""
    logger, handler = logging.getLogger("daxlite"), _Handler(output)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._output.say(record.levelname.lower(), self.format(record))
        except Exception:  # noqa: BLE001 - as each handler of logging does it
            self.handleError(record)

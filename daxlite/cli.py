"""The command line: `daxlite demo`, `daxlite doctor`, `daxlite follow` and `daxlite run`. Each is imported when its
command runs, so that `--help` stays fast."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

app = typer.Typer(
    help="DynamoDB reads in microseconds: an item cache and a query cache around the boto3 client you already have.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# Columns. A log file has no width of its own, and the rows of the result tables must not be wrapped.
LOG_WIDTH = 110


def _version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        typer.echo(f"daxlite {version('daxlite')}")
    except PackageNotFoundError:
        typer.echo("daxlite (from a source tree that is not installed)")
    raise typer.Exit


def _endpoint(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, an invalid IPv6 address
        usable = False
    if not usable:
        raise typer.BadParameter(f"{value!r} is not a URL such as http://127.0.0.1:8000")
    return value


def _redis(value: str | None) -> str | None:
    if value is None or value.startswith("unix://"):
        return value
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise typer.BadParameter("this is not a URL such as redis://127.0.0.1:6379/0")  # it may hold a password
    return value


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, width=LOG_WIDTH)
    return console


@app.callback()
def daxlite(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options without a command."""


@app.command()
def demo(
    items: Annotated[int, typer.Option(min=10, max=1_000_000, help="The number of orders in the shop.")] = 5_000,
    reads: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="The number of reads that each client sends.")
    ] = 20_000,
    writes: Annotated[float, typer.Option(min=0.0, max=0.9, help="Writes as a fraction of all operations.")] = 0.05,
    seed: Annotated[int, typer.Option(help="The same seed makes the same orders and operations.")] = 1,
    endpoint_url: Annotated[
        str | None,
        typer.Option(callback=_endpoint, help="A DynamoDB-compatible server to use instead of the embedded moto."),
    ] = None,
    redis_url: Annotated[
        str | None,
        typer.Option(callback=_redis, help="A Redis or Valkey server to use instead of the embedded Valkey."),
    ] = None,
) -> None:
    """Run one workload through a plain boto3 client and a wrapped one, compare them, and check every answer. Then
    compute an aggregation of the same data: cold, hot, in another process, and after writes.

    Exits with 0 if all answers agree, 1 if any answer differs, 2 if the demo could not run.
    """
    from daxlite.demo import DemoError, Settings, run

    settings = Settings(
        items=items, reads=reads, writes=writes, seed=seed, endpoint_url=endpoint_url, redis_url=redis_url
    )
    try:
        agreed = run(settings, _console())
    except (BotoCoreError, ClientError, DemoError) as error:
        _console(stderr=True).print(f"the demo could not run: {error}", style="red", markup=False)
        raise typer.Exit(2) from None
    if not agreed:
        raise typer.Exit(1)


@app.command()
def doctor(
    url: Annotated[
        str,
        typer.Argument(
            envvar="DAXLITE_REDIS_URL",
            show_envvar=True,
            callback=_redis,
            help="The server, a sentinel, or any node of a cluster. A URL with a password belongs in the environment, "
            "where other users do not see it.",
        ),
    ],
    namespace: Annotated[str, typer.Option(help="That of `Shared(..., namespace=...)`.")] = "daxlite",
    table: Annotated[
        list[str] | None, typer.Option(help="A table that is to be shown by its name. May be given several times.")
    ] = None,
    region: Annotated[
        str, typer.Option(envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="Where these tables are.")
    ] = "",
    group: Annotated[
        str | None, typer.Option(help="Where a sentinel watches several groups of servers: which one is meant.")
    ] = None,
) -> None:
    """Say how a Redis or Valkey fits the shared tier: version, topology, eviction, rights, round trips, messages,
    memory, entries. It writes two keys of its own, and deletes them.

    Exits with 0 if all is fine, 1 with warnings, 2 if the tier cannot run there.
    """
    from daxlite.doctor.contents import digests
    from daxlite.doctor.examine import examine
    from daxlite.doctor.judge import judge, status
    from daxlite.doctor.report import report

    try:
        facts = examine(url, namespace, group=group, names=digests(table or (), region))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    findings = judge(facts)
    report(facts, findings, _console())
    raise typer.Exit(status(findings))


@app.command()
def follow(
    table: Annotated[
        list[str], typer.Option(help="A table, by its name or ARN, that has a stream. May be given several times.")
    ],
    shared: Annotated[
        str,
        typer.Option(
            envvar="DAXLITE_REDIS_URL",
            show_envvar=True,
            callback=_redis,
            help="The Redis or Valkey of the shared tier. A URL with a password belongs in the environment, where "
            "other users do not see it.",
        ),
    ],
    namespace: Annotated[str, typer.Option(help="That of `Shared(..., namespace=...)`.")] = "daxlite",
    account: Annotated[
        str | None, typer.Option(help="That of `Shared(..., account=...)`: the 12 digits of an AWS account.")
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="Where the tables are; boto3's unless given."),
    ] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(callback=_endpoint, help="A DynamoDB-compatible server to use instead of AWS.")
    ] = None,
    poll: Annotated[
        float, typer.Option(min=0.2, max=60.0, help="Seconds between two reads of a shard that has nothing new.")
    ] = 1.0,
    start: Annotated[
        Literal["latest", "trim_horizon"] | None,
        typer.Option(help="Where to begin without a checkpoint. Unless given, at the latest, which counts as a gap."),
    ] = None,
    look_every: Annotated[
        float,
        typer.Option(min=1.0, max=3600.0, help="Seconds after which it is looked whether a table has the same stream."),
    ] = 60.0,
    every: Annotated[
        float, typer.Option(min=1.0, max=3600.0, help="Seconds between two lines of output, off a terminal.")
    ] = 10.0,
    json: Annotated[bool, typer.Option("--json/--no-json", help="Print one JSON object a line.")] = False,
    health_file: Annotated[
        Path | None,
        typer.Option(
            help="A file for a liveness probe: written every few seconds, removed at the end.", dir_okay=False
        ),
    ] = None,
) -> None:
    """Keep a shared tier fresh: hear of what other programs change in tables, from their streams, and drop it. One
    such process serves all processes of a namespace.

    Exits with 0 if it was ended (SIGTERM, Ctrl-C), 1 after a fault in daxlite, 2 if it could not begin (no stream, no
    permission, no Redis), 3 if it was ended and changes were lost before, 4 if a table lost its stream.
    """
    from daxlite.edges.shared import Shared
    from daxlite.feeds.arguments import check_tables
    from daxlite.follow.command import BUDGET, Options, run
    from daxlite.follow.output import JsonOutput
    from daxlite.follow.view import view_of

    try:
        tier = Shared(shared, namespace, account=account, local=False, budget=BUDGET)
        tables = check_tables(table)
    except (TypeError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    output = JsonOutput(every) if json else view_of(_console(), every)
    options = Options(tables, tier, region or None, endpoint_url, poll, start, look_every, health_file)
    raise typer.Exit(run(options, output))


@app.command(context_settings={"allow_interspersed_args": False}, no_args_is_help=True)
def run(
    command: Annotated[
        list[str], typer.Argument(help="The command and its arguments, such as `gunicorn app:app`.", metavar="COMMAND")
    ],
    table: Annotated[
        list[str] | None,
        typer.Option(help="A table that is answered from the cache; all of them unless given. May be given often."),
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option(help="For whom the calls are made. Unless given, clients of other credentials share nothing."),
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="Let all clients of an account share what they read.")] = False,
) -> None:
    """Run a command in whose Python programs every DynamoDB client answers from a cache, without a change of their
    code: `daxlite run -- gunicorn app:app`. If daxlite cannot be installed there, they log that, and run without it.

    The command takes the place of this process, so signals and the exit status are its own. Exits with 127 if there is
    no such command, 126 if it cannot be run.
    """
    from os import environ

    from daxlite.edges.install_from_env import variables
    from daxlite.startup.command import become, environment

    try:
        settings = variables(table, principal, share=share)
    except (TypeError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    become(command, environment(environ, settings))

"""What the command shows to people and to machines."""

import io
import json
import re
import subprocess
import sys

import pytest
from rich.console import Console
from typer.testing import CliRunner

from daxlite.cli import app
from daxlite.feeds.stats import FeedStats
from daxlite.follow.output import JsonOutput
from daxlite.follow.progress import Rates
from daxlite.follow.view import LineView, LiveView, view_of

STATS = FeedStats("Or[red]ders", records=12, applied=7, echoes=3, unchanged=2, expiries=1, gaps=4, shards=2, at=95.0)
PROGRESS = Rates().progress({"Or[red]ders": STATS}, 1.0, 100.0)


def console(*, is_terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=110, highlight=False)


def shown(view: LineView, console: Console) -> str:
    with view:
        view.begun(["Or[red]ders"])
        view.say("warning", "a gap [in] " + 30 * "the changes ")
        view.show(PROGRESS)
        view.ended(3, "ended as asked")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_off_a_terminal_each_message_and_each_table_is_a_line() -> None:
    here = console(is_terminal=False)
    view = view_of(here, 10.0)
    assert isinstance(view, LineView)
    assert view.every == 10.0
    begun, said, table, ended = shown(view, here).splitlines()
    assert begun.endswith(" info following Or[red]ders")
    assert " warning a gap [in] the changes" in said
    assert table.endswith(
        " info Or[red]ders: shards 2, 0.0 records/s, lag -, behind 5.0 s, 7 applied, 3 echoes, 2 unchanged, 1 expired, "
        "4 gaps"
    )
    assert ended.endswith(" error ended with 3: ended as asked")


def test_on_a_terminal_there_is_a_table() -> None:
    here = console(is_terminal=True)
    view = view_of(here, 10.0)
    assert isinstance(view, LiveView)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown(view, here))
    assert re.search(r"^Or\[red\]ders +2 +0\.0 +12 +- +7 +3 +2 +1 +4 *$", text, re.MULTILINE)
    assert "[red]4" not in text
    assert "records/s" in text
    assert "Or[red]ders" in text
    assert "a gap [in]" in text


def test_for_machines_each_line_is_an_object() -> None:
    stream = io.StringIO()
    with JsonOutput(5.0, stream) as output:
        output.begun(["Orders"])
        output.show(PROGRESS)
        output.say("warning", "two\nlines")
        output.ended(3, "ended as asked")
    begun, progress, said, ended = map(json.loads, stream.getvalue().splitlines())
    assert (begun["event"], begun["tables"]) == ("begun", ["Orders"])
    assert (progress["event"], progress["table"], progress["behind"], progress["lag"]) == (
        "progress",
        "Or[red]ders",
        5.0,
        None,
    )
    assert (said["event"], said["level"], said["text"]) == ("log", "warning", "two\nlines")
    assert (ended["event"], ended["status"]) == ("ended", 3)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (("--table", "Orders*"), "patterns are not supported"),
        (("--namespace", "a b"), "namespace is 'a b'"),
        (("--account", "12"), "account is '12'; it must be the 12 digits"),
        (("--poll", "0.1"), "Invalid value for '--poll'"),
        (("--start", "now"), "'latest', 'trim_horizon'"),
        (("--shared", "http://:s3cret@localhost"), "this is not a URL such as redis://"),
        (("--endpoint-url", "localhost"), "is not a URL such as http://"),
    ],
)
def test_wrong_arguments_are_told(wrong: tuple[str, ...], why: str) -> None:
    given = {"--table": "Orders", "--shared": "redis://127.0.0.1:1"} | {wrong[0]: wrong[1]}
    arguments = [part for pair in given.items() for part in pair]
    result = CliRunner().invoke(app, ["follow", *arguments], env={"COLUMNS": "400", "DAXLITE_REDIS_URL": ""})
    assert result.exit_code == 2
    assert why in re.sub(r"\s+", " ", re.sub(r"[│╭╰─]", "", result.output))
    assert "s3cret" not in result.output


def test_feeds_are_imported_without_what_the_command_needs() -> None:
    without = dict.fromkeys(("rich", "typer", "redis"))
    program = f"import sys; sys.modules.update({without}); import daxlite.feeds, daxlite.follow.command"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

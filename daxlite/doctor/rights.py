"""What the user may do, found by doing it: each command of the tier, once, on a tag that nobody uses."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from redis.exceptions import RedisError, ResponseError

from ..core.echoes import DIGEST_BYTES
from ..core.extents import EVERYTHING
from ..core.steps import Command
from ..shared.feed_scripts import excuse, spare
from ..shared.keyspace import Keyspace
from ..shared.lua import NOTE
from ..shared.messages import ID_BYTES, encode_message
from ..shared.script_forms import ScriptForms, digest
from ..shared.scripts import begin, begins, bump, finish, new_token, note, noted, replied, store
from ..shared.tags import NAME_BYTES, SIZE
from ..shared.troubles import described
from .facts import Refusal

LIFE: Final = 10.0
"""Seconds for which what is written here is of use; it is deleted at the end."""
_HEARING: Final = "no process can hear the others, so each read asks the server, as with local=False"
_OF_EACH_SERVER: Final[tuple[tuple[Command, str], ...]] = (
    (("INFO", "server"), "it is taken for a proxy, and each read asks the server, as with local=False"),
    (("ROLE",), "a primary that was replaced and does not know it is found out later"),
    (("PING",), "nothing shows that an idle server is still there"),
)


class Trial:
    """Commands on one tag, and what was refused."""

    def __init__(self, client: Any, keyspace: Keyspace) -> None:
        self.client = client
        self.keyspace = keyspace
        self.tag = os.urandom(SIZE)
        self.key = keyspace.value_of(self.tag, os.urandom(NAME_BYTES))
        self.refusals: list[Refusal] = []

    def ask(self, command: Command, costs: str | None = None, client: Any = None) -> Any:
        """Send a command; None if it is refused."""
        try:
            return _run(self.client if client is None else client, command)
        except ResponseError as error:
            self.note(error, command, costs)
            return None

    def note(self, error: ResponseError, command: Command, costs: str | None) -> None:
        """Remember a refusal, once for all commands and servers of which it says the same."""
        why = described(error, command).replace("<namespace>", self.keyspace.namespace)
        if why not in [known.why for known in self.refusals]:
            self.refusals.append(Refusal(why, costs))

    def __enter__(self) -> "Trial":
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(RedisError):  # it expires in any case
            self.client.execute_command("DEL", self.keyspace.state(self.tag), self.key)


def _run(client: Any, command: Command) -> Any:
    """The reply to a command; a script is sent without its header where the server does not know that."""
    forms = ScriptForms()
    form: Command | None = command
    while True:
        assert form is not None  # noqa: S101 - for the type checker
        try:
            return client.execute_command(*form)
        except ResponseError as error:
            form = forms.next(command, form, error)
            if form is None:
                raise


def refusals(client: Any, nodes: Sequence[Any], keyspace: Keyspace) -> list[Refusal]:
    """What the user may not do. nodes: a client for each server. Raises one of `failures.FAILURES` if a server does not
    answer."""
    with Trial(client, keyspace) as trial:
        state = keyspace.state(trial.tag)
        trial.ask(("MGET", trial.key, state))
        trial.ask(("GET", state))
        trial.ask(("TIME",), client=nodes[0])
        _try_scripts(trial)
        trial.ask(("EVALSHA", digest(NOTE), 1, state, 1000, b"token"), "scripts are sent as texts each time")
        channel, message = (
            keyspace.channel(trial.tag),
            encode_message(os.urandom(ID_BYTES), 0.0, {trial.tag: EVERYTHING}),
        )
        for node in nodes:
            trial.ask(("PUBLISH", channel, message), client=node)
            _subscribe(trial, node, channel)
            for command, costs in _OF_EACH_SERVER:
                trial.ask(command, costs, node)
        return trial.refusals


def _try_scripts(trial: Trial) -> None:
    """What becomes of a tag: a reader stores a value, a writer changes it, a change is told. Each script is tried also
    where those before it were refused."""
    keyspace, tag = trial.keyspace, trial.tag
    (command,) = note(keyspace, [tag], LIFE, is_cluster=False)
    reply = trial.ask(command)
    state = None if reply is None else noted([reply], [tag], is_cluster=False)[tag]
    top, now = (b"token", 0.0) if state is None else (state.top, state.noted_at)
    trial.ask(store(keyspace, tag, trial.key, top, b"value", now + LIFE, LIFE, b""))
    (write,) = begins(os.urandom(ID_BYTES), {tag: EVERYTHING}, frozenset(), is_cluster=False)
    reply = trial.ask(begin(keyspace, write, LIFE, LIFE))
    words = [b"a"] if reply is None else replied(reply, 1)[1]
    trial.ask(finish(keyspace, write, words, LIFE, value=(trial.key, b"value", LIFE)))
    of_a_feed = spare(keyspace, tag, trial.key, top, new_token(), b"value", now + LIFE, write.id)
    for command in (
        *bump(keyspace, {tag: EVERYTHING}, is_cluster=False),
        *excuse(keyspace, [(tag, bytes(DIGEST_BYTES))], is_strict=False, is_cluster=False),
        of_a_feed,
    ):
        trial.ask(command)


def _subscribe(trial: Trial, node: Any, channel: str) -> None:
    subscription = node.pubsub()
    try:
        subscription.subscribe(channel)
        subscription.get_message(timeout=1.0)
    except ResponseError as error:
        trial.note(error, ("SUBSCRIBE", channel), _HEARING)
    finally:
        subscription.close()

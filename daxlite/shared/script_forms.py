"""How a script is sent: by its digest where the server has it, with its header where the server takes one.

    EVALSHA digest --> refused: unknown --> EVAL script --> refused: the header --> EVAL, without it

A server that refuses has run nothing, so that the script runs once.
"""

import hashlib
from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Any

from redis.exceptions import NoScriptError

from ..core.steps import Command
from .failures import is_of_the_header
from .lua import ALLOW_OOM as ALLOW_OOM
from .troubles import named


@lru_cache(maxsize=64)
def digest(script: str) -> str:
    """The name under which a server keeps a script.

    >>> digest("return 1")
    'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'
    """
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


class ScriptForms:
    """What is known of how a server, or a cluster, takes scripts.

    >>> forms = ScriptForms()
    >>> first = forms.first(("EVAL", "return 1", 0))
    >>> first
    ('EVALSHA', 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', 0)
    >>> forms.next(("EVAL", "return 1", 0), first, NoScriptError())
    ('EVAL', 'return 1', 0)
    """

    def __init__(self) -> None:
        self._takes_headers = True
        self._takes_digests = True

    def exchange(self, commands: Sequence[Command]) -> Generator[Sequence[Command], list[Any], list[Any]]:
        """The reply to each of these commands, or the error that is its reply. Yields what is sent for them, and
        receives the replies."""
        sent = [self.first(command) for command in commands]
        replies = yield sent
        while True:
            again: dict[int, Command] = {}
            for place, reply in enumerate(replies):
                if isinstance(reply, Exception):
                    form = self.next(commands[place], sent[place], reply)
                    if form is not None:
                        again[place] = form
            if not again:
                return replies
            # Those alone: the others have run.
            for place, reply in zip(again, (yield [*again.values()]), strict=True):
                sent[place], replies[place] = again[place], reply

    def first(self, command: Command) -> Command:
        """What is sent for a command."""
        if command[0] != "EVAL":
            return command
        if not self._takes_digests:
            return self._whole(command)
        return ("EVALSHA", digest(self._text(command)), *command[2:])

    def next(self, command: Command, sent: Command, reply: Any) -> Command | None:
        """What is sent for it after this reply; None where the reply is final."""
        if command[0] != "EVAL" or not isinstance(reply, Exception):
            return None
        if is_of_the_header(reply) and sent[1] in (command[1], digest(command[1])):
            self._takes_headers = False  # by its digest, too: fakeredis keeps a script that it cannot run
            return None if command[1] == self._text(command) else self._whole(command)
        if sent[0] == "EVALSHA":
            if isinstance(reply, NoScriptError):
                return self._whole(command)
            if named(reply) == "EVALSHA":  # the right is missing, or the command: the one for EVAL may be there
                self._takes_digests = False
                return self._whole(command)
        return None

    def _whole(self, command: Command) -> Command:
        return ("EVAL", self._text(command), *command[2:])

    def _text(self, command: Command) -> str:
        script: str = command[1]
        return script if self._takes_headers else script.removeprefix(ALLOW_OOM)

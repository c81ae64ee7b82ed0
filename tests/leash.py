"""Run a command until the standard input ends: ``python leash.py COMMAND...``.

The other end of the input is held by the process that wants the command. When that process ends, in whatever way, the
input ends too, and so does the command: a test run that was killed leaves no server behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading


def main(command: list[str]) -> None:
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    # A server that ends by itself, because its port is taken say, ends this process with it.
    threading.Thread(target=lambda: os._exit(abs(server.wait())), daemon=True).start()
    sys.stdin.buffer.read()
    server.terminate()
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    main(sys.argv[1:])

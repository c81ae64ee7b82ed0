"""Runs a command until its own standard input ends: `python -m daxlite.demo.leash COMMAND...`.

The demo holds the other end of the input. However the demo dies, the input ends, and the command with it.
"""

import os
import subprocess
import sys
import threading

STOP_SECONDS = 2.0


def main(command: list[str]) -> None:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    # A command that ends by itself, because its port is taken say, ends this process too.
    threading.Thread(target=lambda: os._exit(abs(process.wait())), daemon=True).start()
    sys.stdin.buffer.read()
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    main(sys.argv[1:])

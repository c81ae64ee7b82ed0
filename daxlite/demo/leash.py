"""Runs a command until the standard input ends: `python -m daxlite.demo.leash COMMAND...`.

The parent holds the other end of the input. However the parent dies, the input ends, and the command is terminated.
"""

import os
import subprocess
import sys
import threading

STOP_SECONDS = 2.0


def main(command: list[str]) -> None:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    # This process ends as soon as the command does, for example because its port is taken.
    threading.Thread(target=lambda: os._exit(abs(process.wait())), daemon=True).start()
    sys.stdin.buffer.read()
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    main(sys.argv[1:])

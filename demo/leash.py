"""A process that ends when the one that started it ends, however that happened. It knows nothing of what it becomes.

`python -m demo.leash PARENT_PID SIGNAL PROGRAM ARGUMENTS…` asks the kernel for a signal at the parent's end, then
becomes the program. Where the kernel is not Linux it just becomes it, and a demo ended by SIGKILL leaves it behind.
"""

import ctypes
import os
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>; kept across exec


def main(parent_pid: int, number: int, program: list[str]) -> None:
    """Tie this process to its parent and become the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent_pid:
            sys.exit(1)  # the parent ended before the kernel was asked
    os.execv(program[0], program)  # noqa: S606 - the demo says what to become


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])

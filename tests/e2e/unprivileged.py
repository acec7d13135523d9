"""How a test that runs as root starts a process as somebody who may less."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def as_nobody(owned: Path) -> Iterator[tuple[str, ...]]:
    """Give the words to put before a command so that root's powers are gone; whoever has none needs none.

    The new user owns the folder `owned` itself, not what is in it. Skips, and says why, where no other user can run
    this Python.
    """
    if os.getuid() != 0:
        yield ()
        return
    nobody = pwd.getpwnam("nobody")
    prefix = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed, and root can write everywhere")
    if subprocess.run([*prefix, sys.executable, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip("the user nobody cannot run this Python")
    os.chown(owned, nobody.pw_uid, nobody.pw_gid)
    yield prefix

"""A receiver that takes everything and keeps nothing, for those who measure without a backend.

It runs in a process of its own, so that its work is not the service's.
"""

import http.server
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_STOP_S: Final = 10.0


class Sink(http.server.BaseHTTPRequestHandler):
    """Answer every request with success."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # the name is the standard library's
        """Read a body and forget it."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            self._read_chunks()
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the standard library's
        """Say nothing."""

    def _read_chunks(self) -> None:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            self.rfile.read(size + 2)
        self.rfile.readline()


@contextmanager
def running_sink() -> Iterator[str]:
    """Start a sink on a free port and yield its address; stop it at the end."""
    process = subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own module
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.communicate(timeout=_STOP_S)


def main() -> None:
    """Serve until the process is stopped; the first line that is printed is the port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()

"""Real brokers on free ports of this machine, their data in a temporary folder; a test is skipped where one is missing.

They come from Debian's packages nats-server, redis-server and rabbitmq-server; Kafka is a double from its client. A
module that needs one imports its fixture; each runs once for the tests of a module and is gone afterwards.
"""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.waiting import until

_START_S: Final = 120.0
"""Until a broker answers: a second for two of them, RabbitMQ takes three, and tests share the machine."""

_RABBITMQ: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Behind Debian's wrapper, which insists on a user and on folders of its own."""


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a NATS server with JetStream."""
    server = _found("nats-server")
    folder, port = tmp_path_factory.mktemp("nats"), free_port()
    words = [server, "--addr", "127.0.0.1", "--port", str(port), "--jetstream", "--store_dir", str(folder)]
    with _running(words, folder=folder, port=port):
        yield f"nats://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a Redis server that keeps nothing."""
    server = _found("redis-server")
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    words = [server, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    with _running(words, folder=folder, port=port):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="module")
def amqp_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a RabbitMQ server."""
    names = _found("epmd")
    if not _RABBITMQ.exists():
        pytest.skip("rabbitmq-server is not installed")
    folder, port, names_port = tmp_path_factory.mktemp("rabbitmq"), free_port(), free_port()
    # Erlang would start its name server by itself, and leave it behind for ever.
    with (
        _running([names, "-address", "127.0.0.1", "-port", str(names_port)], folder=folder, port=names_port),
        _running([str(_RABBITMQ)], folder=folder, port=port, settings=_rabbitmq(folder, port, names_port)),
    ):
        yield f"amqp://guest:guest@127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def kafka_address() -> Iterator[str]:
    """Give the address of a double of a Kafka cluster, which librdkafka has built in: its protocol, without a disk.

    Debian has no Kafka. Both clients speak to the double over TCP as they would to a broker.
    """
    from confluent_kafka import Producer  # noqa: PLC0415 - only for those who need it: it loads a library of 10 MB

    holder = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "log_level": 3})
    [broker] = holder.list_topics(timeout=_START_S).brokers.values()
    yield f"{broker.host}:{broker.port}"
    holder.flush(0)


def free_port() -> int:
    """Return a port that nothing listens on at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _rabbitmq(folder: Path, port: int, names_port: int) -> Mapping[str, str]:
    (folder / "plugins").write_text("[].\n")
    (folder / "rabbitmq.conf").write_text("loopback_users = none\n")
    return {
        "HOME": str(folder),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names_port),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
    }


def _found(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@contextmanager
def _running(
    words: Sequence[str], *, folder: Path, port: int, settings: Mapping[str, str] | None = None
) -> Iterator[None]:
    log = folder / f"{Path(words[0]).name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(settings or {})},
            # RabbitMQ is a shell script with children of its own.
            start_new_session=True,
        )

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{words[0]} ended with {process.returncode}: {log.read_text(errors='replace')}")
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(answers, timeout_s=_START_S, what=f"{words[0]} on port {port}")
        yield
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a broker and whatever it started; nothing that it holds is worth waiting for."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

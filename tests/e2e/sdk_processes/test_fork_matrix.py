import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import free_port, redis_url
from tests.receiver import Received, Receiver, receiving
from tests.served import BIN, Served, environment, served
from tests.waiting import until

__all__ = ["redis_url"]

pytestmark = pytest.mark.e2e
PROGRAMS = Path(__file__).parent / "programs"
REQUESTS = 24

# Spans gather for a minute: what comes has been sent by the end of a process and by nothing else.
AT_THE_END = {"HOMEOSTAT_EXPORT_DELAY_S": "60"}

# What uWSGI does at SIGTERM without the hook is to end its workers in the middle of their work.
UWSGI = (
    "uwsgi --http-socket 127.0.0.1:{port} --module wsgi_service:app --master -p 2 --die-on-term "
    "--hook-master-start unix_signal:15_gracefully_kill_them_all"
)
WORKERS = {"-w", "-p", "--workers"}
SERVERS = {
    "uvicorn": "uvicorn asgi_service:app --port {port}",
    "uvicorn with workers": "uvicorn asgi_service:app --port {port} --workers 2",
    "uvicorn with reload": "uvicorn asgi_service:app --port {port} --reload",
    "gunicorn": "gunicorn wsgi_service:app -b 127.0.0.1:{port} -w 2",
    "gunicorn with preload": "gunicorn wsgi_service:app -b 127.0.0.1:{port} -w 2 --preload",
    "gunicorn that replaces its workers": "gunicorn wsgi_service:app -b 127.0.0.1:{port} -w 2 --max-requests 5",
    "gunicorn with threads": "gunicorn wsgi_service:app -b 127.0.0.1:{port} -w 2 --preload -k gthread --threads 2",
    "gunicorn with its ASGI worker": "gunicorn asgi_service:app -b 127.0.0.1:{port} -w 2 --preload -k asgi",
    "uwsgi": f"{UWSGI} --enable-threads",
    "uwsgi with lazy applications": f"{UWSGI} --enable-threads --lazy-apps",
    "uwsgi without threads": UWSGI,
    "run, uvicorn": "homeostat run -- uvicorn plain_service:app --port {port}",
    "run, uvicorn with workers": "homeostat run -- uvicorn plain_service:app --port {port} --workers 2",
    "run, gunicorn with preload": "homeostat run -- gunicorn plain_flask_service:app -b 127.0.0.1:{port} -w 2 "
    "--preload",
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Give a receiver of spans."""
    with receiving() as found:
        yield found


def variables(receiver: Receiver, folder: Path, **more: str) -> dict[str, str]:
    """Return the variables of a program that sends to a receiver, and buffers in a folder of its own."""
    return environment(HOMEOSTAT_ENDPOINT=receiver.url, HOMEOSTAT_BUFFER_FOLDER=str(folder / "buffer"), **more)


def assert_own_identities(spans: list[Received], pids: Counter[int]) -> None:
    """Check that each process sent exactly its own spans, under an identity that no other has."""
    assert Counter(int(str(span.resource["process.pid"])) for span in spans) == pids
    assert len({span.instance for span in spans}) == len(pids)
    assert len({span.span.span_id for span in spans}) == len(spans)


def ask_every_worker(server: Served, *, workers: int) -> Counter[int]:
    """Send requests until so many processes have answered; return how many each did.

    A worker of gunicorn that is told to stop while it begins still has its master's handler, and the signal is lost:
    the master then waits for it for half a minute.
    """
    pids: Counter[int] = Counter()

    def ask() -> Counter[int] | None:
        pids.update(answer["pid"] for answer in server.get_all([f"/work/{number}" for number in range(REQUESTS)]))
        return pids if len(pids) >= workers else None

    return until(ask, what="an answer of every worker")


@pytest.mark.parametrize("name", SERVERS)
def test_no_server_loses_or_doubles_a_span(name: str, receiver: Receiver, tmp_path: Path) -> None:
    """Each request is one server span with one span in it, sent by the process that served it, at its end."""
    port = free_port()
    first, *words = [word.replace("15_", "15 ") for word in SERVERS[name].format(port=port).split()]
    told = variables(receiver, tmp_path, **AT_THE_END)
    with served([str(BIN / first), *words], folder=PROGRAMS, port=port, variables=told, log=tmp_path / "log") as server:
        if "--lazy-apps" in words:
            # A worker that is told to stop while it loads the application hangs for ever.
            until(lambda: server.log().count("WSGI app 0") == 2, what="an application in each worker")
        pids = ask_every_worker(server, workers=2 if WORKERS.intersection(words) else 1)
        server.stop()
        log = server.log()
        found = receiver.wait_for(2 * pids.total(), timeout_s=10)
        requests = [span for span in found if span.name.startswith("GET /work/")]
    works = receiver.spans("work")
    assert_own_identities(works, pids)
    assert_own_identities(requests, pids)
    assert len(receiver.spans()) == 2 * pids.total(), log
    assert {span.span.parent_span_id for span in works} == {span.span.span_id for span in requests}


@pytest.mark.parametrize(
    "way",
    [
        "fork",
        "spawn",
        "forkserver",
        "fork that fails",
        "fork pool",
        "spawn pool",
        "fork executor",
        "spawn executor",
        "forkserver executor",
        "os.fork and sys.exit",
        "os.fork and SIGTERM",
    ],
)
def test_no_child_loses_or_doubles_a_span(way: str, receiver: Receiver, tmp_path: Path) -> None:
    """However a child begins and ends: what it recorded comes, under its own identity, once."""
    pids = run_children(way, receiver, tmp_path)
    assert_own_identities(receiver.wait_for(pids.total(), name="work", timeout_s=10), pids)
    assert len(receiver.spans()) == pids.total()


def test_a_span_around_a_fork_belongs_to_the_parent(receiver: Receiver, tmp_path: Path) -> None:
    """Both processes end it; it is sent once, by the one in which it began, and the child's own is its child."""
    pids = run_children("a span around a fork", receiver, tmp_path)
    works = receiver.wait_for(pids.total(), name="work", timeout_s=10)
    (around,) = receiver.spans("around")
    (child,) = [span for span in works if span.instance != around.instance]
    assert child.span.parent_span_id == around.span.span_id


def test_a_reload_loses_no_span(receiver: Receiver, tmp_path: Path) -> None:
    """The process that is replaced sends what it has, and the next one is another."""
    shutil.copy(PROGRAMS / "asgi_service.py", tmp_path)
    port, told = free_port(), variables(receiver, tmp_path, **AT_THE_END)
    words = [str(BIN / "uvicorn"), "asgi_service:app", "--port", str(port), "--reload"]
    with served(words, folder=tmp_path, port=port, variables=told, log=tmp_path / "log") as server:
        pids = Counter(answer["pid"] for answer in server.get_all(["/work/1"] * 5, at_once=1))
        with (tmp_path / "asgi_service.py").open("a") as program:
            program.write("\n# Changed.\n")
        until(lambda: server.log().count("Application startup complete") == 2, what="a reload")
        pids += Counter(answer["pid"] for answer in server.get_all(["/work/2"] * 5, at_once=1))
        server.stop()
    assert len(pids) == 2
    assert_own_identities(receiver.wait_for(10, name="work", timeout_s=10), pids)


def run_children(way: str, receiver: Receiver, folder: Path) -> Counter[int]:
    """Run the program and return how many spans each process made."""
    done = subprocess.run(
        [sys.executable, "children.py", way],
        cwd=PROGRAMS,
        env=variables(receiver, folder, **AT_THE_END),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Counter(json.loads(done.stdout))


def test_celery_loses_no_span_of_its_workers(receiver: Receiver, tmp_path: Path, redis_url: str) -> None:
    """Prefork children of `billiard` leave by `os._exit`, and what they recorded comes."""
    told = variables(receiver, tmp_path, **AT_THE_END, BROKER=redis_url)
    words = [str(BIN / "celery"), "-A", "tasks", "worker", "-c", "2", "--loglevel", "INFO"]
    log = tmp_path / "log"
    with log.open("wb") as out:
        worker = subprocess.Popen(words, cwd=PROGRAMS, env=told, stdout=out, stderr=out)
    try:
        until(lambda: "ready." in log.read_text(), timeout_s=60, what="a worker")
        pids = Counter(send_tasks(told))
        worker.terminate()
        worker.wait(30)
    finally:
        worker.kill()
    works = receiver.wait_for(REQUESTS, name="work", timeout_s=10)
    assert_own_identities(works, pids)
    # Polls of the broker would be traces of their own, many a second.
    assert {span.span.trace_id for span in receiver.spans()} == {span.span.trace_id for span in works}


def send_tasks(told: dict[str, str]) -> list[int]:
    """Send tasks from a process of its own, and return which processes worked."""
    code = f"import tasks\nprint([r.get(timeout=30) for r in [tasks.work.delay(n) for n in range({REQUESTS})]])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROGRAMS,
        env=told | {"HOMEOSTAT_TRACES": "off"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found

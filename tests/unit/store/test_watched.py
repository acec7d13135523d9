from threading import Event, Thread

import pytest

from homeostat_server.exceptions import QueryCancelled, StoreUnavailable
from homeostat_server.store.watched import QueryWatch


def test_a_statement_that_is_not_found_yet_is_looked_for_again() -> None:
    """It has begun here and not yet there; once it was found, nobody looks any more."""
    watch = QueryWatch()
    answers = iter([False, False, True])
    with watch.statement(lambda: next(answers)):
        watch.cancel()
    assert list(answers) == []


def test_cancel_ends_with_a_statement_that_is_never_found() -> None:
    """One that ended by itself meanwhile is not waited for."""
    watch, looked = QueryWatch(), Event()

    def look() -> bool:
        looked.set()
        return False

    with watch.statement(look):
        cancelling = Thread(target=watch.cancel)
        cancelling.start()
        looked.wait()
    cancelling.join(10)
    assert not cancelling.is_alive()


def test_a_store_that_cannot_stop_a_statement_says_so() -> None:
    """The question is called off all the same: no further statement begins."""
    watch = QueryWatch()

    def fail() -> bool:
        raise StoreUnavailable("stop a statement")

    with watch.statement(fail), pytest.raises(StoreUnavailable):
        watch.cancel()
    with pytest.raises(QueryCancelled), watch.statement(fail):
        pass

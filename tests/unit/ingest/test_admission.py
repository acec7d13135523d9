import pytest

from homeostat_server.exceptions import Overloaded
from homeostat_server.ingest.admission import Admission
from homeostat_server.runtime.telemetry import Telemetry


@pytest.fixture
def telemetry() -> Telemetry:
    """Return metrics of this test alone."""
    return Telemetry()


@pytest.fixture
def admission(telemetry: Telemetry) -> Admission:
    """Return room for two requests and a hundred bytes."""
    return Admission(bytes_max=100, requests_max=2, telemetry=telemetry)


def test_bytes_count_until_the_request_has_left(admission: Admission) -> None:
    """What is read and what decompression adds is counted, and given back at the end."""
    with admission.admit() as admitted:
        admitted.grow(60)
        admitted.grow(40)
        assert (admission.bytes_in_flight, admission.requests_in_flight) == (100, 1)
    assert (admission.bytes_in_flight, admission.requests_in_flight) == (0, 0)


def test_the_byte_that_does_not_fit_is_refused(admission: Admission, telemetry: Telemetry) -> None:
    """Over the bound a request is told to come back, and only what it held is given back."""
    with admission.admit() as first:
        first.grow(90)
        with pytest.raises(Overloaded, match="100 bytes") as refused, admission.admit() as second:
            second.grow(11)
        assert refused.value.retry_after_s > 0
        assert admission.bytes_in_flight == 90
    assert telemetry.value("homeostat_ingest_shed_total", bound="bytes") == 1


def test_nobody_is_admitted_while_all_bytes_are_taken(admission: Admission) -> None:
    """A full house is said at the door, before a body is read."""
    with admission.admit() as first:
        first.grow(100)
        with pytest.raises(Overloaded):
            admission.admit()


def test_the_number_of_requests_is_bounded(admission: Admission, telemetry: Telemetry) -> None:
    """Requests without bytes take room as well; who leaves makes room."""
    with admission.admit():
        with admission.admit(), pytest.raises(Overloaded, match="ingest_requests_max"):
            admission.admit()
        with admission.admit():
            assert telemetry.value("homeostat_ingest_inflight_requests") == 2
    assert telemetry.value("homeostat_ingest_shed_total", bound="requests") == 1


def test_what_is_in_flight_is_shown(admission: Admission, telemetry: Telemetry) -> None:
    """The bytes in flight can be watched against their bound."""
    with admission.admit() as admitted:
        admitted.grow(7)
        assert telemetry.value("homeostat_ingest_inflight_bytes") == 7

import pytest

from homeostat_server.runtime.telemetry import Telemetry


def test_a_counter_is_shown_with_its_labels() -> None:
    """What is counted can be scraped."""
    telemetry = Telemetry()
    telemetry.counter("homeostat_ingest_items_total", "Items.", labels=("signal",)).labels("logs").inc(3)
    text, content_type = telemetry.exposition()
    assert b'homeostat_ingest_items_total{signal="logs"} 3.0' in text
    assert content_type.startswith("text/plain")
    assert telemetry.value("homeostat_ingest_items_total", signal="logs") == 3
    assert telemetry.value("homeostat_ingest_items_total", signal="traces") == 0


def test_asking_twice_gives_the_same_metric() -> None:
    """Three spools share one counter."""
    telemetry = Telemetry()
    for declare, name in (
        (telemetry.gauge, "homeostat_spool_bytes"),
        (telemetry.counter, "homeostat_items_total"),
        (telemetry.histogram, "homeostat_commit_seconds"),
    ):
        assert declare(name, "Words.") is declare(name, "Words.")


def test_two_registries_do_not_share() -> None:
    """Nothing is global: two process objects count apart."""
    one, other = Telemetry(), Telemetry()
    one.counter("homeostat_a_total", "A.").inc()
    other.counter("homeostat_a_total", "A.")
    assert other.value("homeostat_a_total") == 0


def test_a_histogram_has_the_promised_latencies_as_edges() -> None:
    """The bound that we promise can be read off."""
    telemetry = Telemetry()
    telemetry.histogram("homeostat_commit_seconds", "Commit.").observe(0.2)
    assert telemetry.value("homeostat_commit_seconds_bucket", le="0.25") == 1
    assert telemetry.value("homeostat_commit_seconds_bucket", le="0.1") == 0


def test_an_observed_gauge_is_read_at_scrape() -> None:
    """The value is the one at the moment somebody looks."""
    telemetry = Telemetry()
    sizes = {"logs": 1.0}
    telemetry.observe(
        "homeostat_spool_bytes",
        "Bytes.",
        labels=("signal",),
        read=lambda: [((signal,), size) for signal, size in sizes.items()],
    )
    sizes["logs"] = 2.0
    assert telemetry.value("homeostat_spool_bytes", signal="logs") == 2


@pytest.mark.parametrize("name", ["spool_bytes", "homeostat_Bytes", "homeostat_", "homeostat_a_"])
def test_a_name_without_the_prefix_is_refused(name: str) -> None:
    """All metrics of the platform are found by one prefix."""
    telemetry = Telemetry()
    with pytest.raises(ValueError, match="is not named homeostat_"):
        telemetry.gauge(name, "Bytes.")
    assert telemetry.declared() == ()


def test_a_counter_says_total() -> None:
    """The name of a counter ends in _total."""
    with pytest.raises(ValueError, match="does not end in _total"):
        Telemetry().counter("homeostat_items", "Items.")


def test_one_name_cannot_be_two_metrics() -> None:
    """Other labels or another kind under a known name are a mistake."""
    telemetry = Telemetry()
    telemetry.gauge("homeostat_spool_bytes", "Bytes.")
    with pytest.raises(ValueError, match="declared in two ways"):
        telemetry.gauge("homeostat_spool_bytes", "Bytes.", labels=("signal",))


def test_an_observed_gauge_has_one_reader() -> None:
    """A second reader would never be asked, so it is refused."""
    telemetry = Telemetry()
    telemetry.observe("homeostat_age_seconds", "A.", read=lambda: [((), 1.0)])
    with pytest.raises(ValueError, match="declared twice"):
        telemetry.observe("homeostat_age_seconds", "A.", read=lambda: [((), 2.0)])


def test_what_is_declared_can_be_listed() -> None:
    """The reference page can be checked against the process."""
    telemetry = Telemetry()
    telemetry.gauge("homeostat_bytes", "B.")
    telemetry.observe("homeostat_age_seconds", "A.", read=list)
    assert [metric.name for metric in telemetry.declared()] == ["homeostat_age_seconds", "homeostat_bytes"]

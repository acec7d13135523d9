from benchmarks.layout.candidates import encodings, indexes, orders
from homeostat_server.store.telemetry.catalogue import SPANS


def test_candidates_are_tables_of_their_own_with_the_catalogue_s_columns() -> None:
    """Each has its own name, so that no measurement writes into another's table."""
    candidates = [*orders(), *indexes(), *encodings()]
    assert len({candidate.table.name for candidate in candidates}) == len(candidates)
    names = [column.name for column in SPANS.columns]
    assert all([column.name for column in candidate.table.columns] == names for candidate in candidates)


def test_the_first_order_is_the_catalogue_s_own_table() -> None:
    """What everything is compared with changes nothing but the name."""
    first = orders()[0].table
    assert first.create_statement().replace(first.name, SPANS.name) == SPANS.create_statement()

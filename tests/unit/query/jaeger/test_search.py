from hypothesis import given
from hypothesis import strategies as st

from homeostat_server.query.jaeger.search import fair_share


@given(st.lists(st.integers(1, 1_000), max_size=30), st.integers(1, 5_000))
def test_a_fair_share_is_the_largest_that_fits(sizes: list[int], total_max: int) -> None:
    """Cut to it, all sizes together are within the total; one more for each would not be."""
    share = fair_share(sizes, total_max=total_max)

    def together(cut: int) -> int:
        return sum(min(size, cut) for size in sizes)

    if len(sizes) > total_max:
        assert share == 1
    else:
        assert together(share) <= total_max
        assert share >= max(sizes, default=0) or together(share + 1) > total_max

import pytest

import homeostat.testing


def test_public_names_are_loaded_when_they_are_used() -> None:
    """All that is announced is there; what is not announced is not."""
    for name in homeostat.testing.__all__:
        assert getattr(homeostat.testing, name) is not None
    assert dir(homeostat.testing) == sorted(homeostat.testing.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'capture_all'"):
        homeostat.testing.capture_all  # noqa: B018

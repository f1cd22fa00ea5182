"""Two studies of a brain with planted lesions."""

import pytest

from benchmarks.planted_lesions import PlantedPair, planted_pair


@pytest.fixture(scope="package")
def pair() -> PlantedPair:
    """The planted studies at 2 mm."""
    return planted_pair(2)

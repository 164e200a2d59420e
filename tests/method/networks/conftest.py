"""What the networks' tests share."""

from collections.abc import Iterator

import pytest

from hicmd_tf.method.precision import computing_in


@pytest.fixture
def float64() -> Iterator[None]:
    """Layers compute in float64 while this lasts."""
    with computing_in("float64"):
        yield

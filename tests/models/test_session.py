from __future__ import annotations

import pytest
import torch

from sightline.engines import open_untrained
from sightline.errors import EngineError
from sightline.zoo import SPECS


@pytest.mark.parametrize("device", ["cuda", "nothing"])
def test_a_device_that_is_not_there_is_one_clear_line(device: str) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("it is there")
    with pytest.raises(EngineError, match=rf"torch has no device '{device}' here \(.+\); leave the device at cpu") as told:
        open_untrained(SPECS["kestrel-nano"], device=device)
    assert "\n" not in str(told.value)

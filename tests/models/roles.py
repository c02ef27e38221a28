"""From what a tracker cuts to what `step` is given."""

from __future__ import annotations

from typing import Any

import torch

from sightline.engines.state import apart
from sightline.models.calls import OF_STEP


@torch.inference_mode()
def for_step(network: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What `step` is given of crops and what belongs to them: those of the search, and what `init` makes of the others."""
    searches = {name: value for name, value in given.items() if name.startswith(OF_STEP)}
    template, own = apart(network.init(**{name: value for name, value in given.items() if name not in searches}))
    return searches | template | own

"""From what a tracker cuts to what `step` is given."""

from __future__ import annotations

from typing import Any

import torch

from sightline.models.calls import OF_STEP


@torch.inference_mode()
def for_step(network: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What `step` is given of crops and what belongs to them: those of the search, and what `init` makes of the others."""
    searches = {name: value for name, value in given.items() if name.startswith(OF_STEP)}
    state = network.init(**{name: value for name, value in given.items() if name not in searches})
    return searches | {name.removeprefix("next."): value for name, value in state.items()}

from __future__ import annotations

import pickle
import shutil
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sightline.engines import Session, open_untrained
from sightline.errors import EngineError
from sightline.models.compiled import CompiledSession
from sightline.models.session import TorchSession
from sightline.zoo import SPECS


@pytest.mark.parametrize("device", ["cuda", "nothing"])
def test_a_device_that_is_not_there_is_one_clear_line(device: str) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("it is there")
    with pytest.raises(EngineError, match=rf"torch has no device '{device}' here \(.+\); leave the device at cpu") as told:
        open_untrained(SPECS["kestrel-nano"], device=device)
    assert "\n" not in str(told.value)


class Doubles(nn.Module):
    """A network as small as one can be."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def step(self, search: Tensor, template: Tensor) -> dict[str, Tensor]:
        return {"box": (search - template).float().mean(dim=(1, 2, 3)) * self.factor}


def test_too_little_memory_of_a_device_is_one_clear_line() -> None:
    picture = np.zeros((1, 4, 4, 3), np.uint8)
    full = Mock(side_effect=torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has more to say."))
    session = TorchSession(SPECS["kestrel-nano"], Doubles())
    with pytest.raises(EngineError, match=r"too little memory on the device .cpu..+fewer targets at once") as told:
        session.run_as(full, "step", {"search": picture, "template": picture})
    assert "\n" not in str(told.value)


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler, which torch.compile asks for")
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method:DeprecationWarning")  # torch, as it loads its compiler
def test_a_compiled_network_says_the_same_for_every_batch_and_after_a_journey() -> None:
    plain = TorchSession(SPECS["kestrel-nano"], Doubles().eval())
    compiled: Session = CompiledSession(plain)
    assert compiled.roles == {"step"}
    rng = np.random.default_rng(0)
    for session in (compiled, pickle.loads(pickle.dumps(compiled))):
        for batch in (1, 1, 3):
            arrays = {name: rng.integers(0, 99, (batch, 4, 4, 3), np.uint8) for name in ("search", "template")}
            assert np.allclose(session.run("step", arrays)["box"], plain.run("step", arrays)["box"], atol=1e-6)
            assert not np.may_share_memory(session.run("step", arrays)["box"], session.run("step", arrays)["box"])


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method:DeprecationWarning")  # likewise
def test_where_nothing_compiles_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("/nowhere/c++",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    session = CompiledSession(TorchSession(SPECS["kestrel-nano"], Doubles().eval()))
    arrays = {name: np.zeros((2, 5, 5, 3), np.uint8) for name in ("search", "template")}
    with pytest.raises(EngineError, match=r"torch cannot compile kestrel-nano here \(.+\); use the engine torch\.$") as told:
        session.run("step", arrays)
    assert "\n" not in str(told.value)

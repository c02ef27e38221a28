from __future__ import annotations

import pytest

from sightline import engines
from sightline.engines import open_session
from sightline.errors import EngineError
from sightline.weights import find

BUILTIN = find("kestrel-nano")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_refused(engine: str, threads: int) -> None:
    with pytest.raises(EngineError, match=f"threads is {threads}; expected at least 1, or None"):
        open_session(BUILTIN, engine=engine, threads=threads)


def test_an_engine_that_is_installed_and_does_not_load_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise ImportError("libopenvino.so: cannot open shared object file\nand more")

    monkeypatch.setattr(engines, "import_module", broken)
    with pytest.raises(
        EngineError, match=r"installed and cannot be imported \(libopenvino.so: cannot open shared object file\); install it"
    ):
        open_session(BUILTIN, engine="openvino")

"""What all tests share: one thread per library, the shared folder, no network."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
for name in THREADS:  # before numpy and torch are imported
    os.environ.setdefault(name, "1")

if hasattr(signal, "SIGHUP"):  # ignored where the tests run under `nohup`, and some raise it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

settings.register_profile("quiet", deadline=None)  # a busy machine is no failure
settings.load_profile("quiet")


@pytest.fixture(autouse=True)
def one_thread_in_processes_to_come() -> Iterator[None]:
    """A command sets them for its process, and there the next test would begin others."""
    before = {name: os.environ[name] for name in THREADS}
    yield
    os.environ.update(before)


def shared_dir() -> Path:
    """Fixtures, data and weights that are not part of the repository: $SIGHTLINE_SHARED, else `../shared`."""
    root = Path(__file__).resolve().parents[1]
    return Path(os.environ.get("SIGHTLINE_SHARED") or root.parent / "shared")


def need_shared(*parts: str) -> Path:
    """`shared_dir() / parts`; where it is missing the test skips with the reason, and fails in CI."""
    path = shared_dir().joinpath(*parts)
    if path.exists():
        return path
    reason = f"{path} is missing: it holds reference data that is not part of the repository (or set SIGHTLINE_SHARED)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder; tests that ask for it skip where it is missing, and fail in CI."""
    return need_shared()

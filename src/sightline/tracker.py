"""Trackers: one method and the state of one target, or of many."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from copy import copy
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Generic, Literal, TypeVar

from sightline import zoo
from sightline.auto import choose
from sightline.box import Box, BoxLike
from sightline.builtin import DEFAULT
from sightline.engines import IN_TORCH, Opening, Precision, Session, batch_for, open_untrained
from sightline.engines.cores import num_cores
from sightline.errors import LittleChecked, NotStarted
from sightline.estimate import Estimate
from sightline.frame import Frame
from sightline.methods import Method
from sightline.methods.eco import EcoMethod
from sightline.methods.network import NetworkMethod
from sightline.methods.online import OnlineMethod
from sightline.spec import MethodName, Spec
from sightline.weights import find

__all__ = ["METHODS", "MultiTracker", "Tracker", "load", "method_of", "opened", "resolve", "untrained"]

S = TypeVar("S")
T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

METHODS: dict[MethodName, Callable[[Session], Method[Any]]] = {"network": NetworkMethod, "online": OnlineMethod, "eco": EcoMethod}

Channels = Literal["bgr", "rgb"]


class Tracker(Generic[S]):
    """Follows one target. Cheap to make and to copy: copies share the network. Not safe to call from two threads at once."""

    def __init__(self, method: Method[S], *, channels: Channels = "bgr") -> None:
        self.method = method
        self.channels: Channels = channels
        self._state: S | None = None

    @property
    def spec(self) -> Spec:
        """What the tracker is."""
        return self.method.spec

    def init(self, image: Frame | Any, box: BoxLike) -> None:
        """Mark the target; a second call starts over.

        Args:
            image: a `Frame`, an (H, W, 3) uint8 array in the order of `channels`, or what else `Frame.of` takes.
            box: x, y, w, h in pixels of the image.

        Raises:
            BadImage, BadBox: what they say.
        """
        frame = Frame.of(image, channels=self.channels)
        self._state = self.method.begin(frame, Box.checked(box, *frame.size))

    def update(self, image: Frame | Any) -> Estimate:
        """Where the target is in the next image.

        Raises:
            NotStarted: `init` was not called.
            BadImage: the image cannot be read.
        """
        if self._state is None:
            raise NotStarted("update before init: call tracker.init(image, box) with the first image.")
        [(self._state, estimate)] = self.method.advance([Frame.of(image, channels=self.channels)], [self._state])
        return estimate

    def copy(self) -> Tracker[S]:
        """Another tracker with the same network and the same state, which goes its own way from here."""
        return copy(self)


class _Helpers:
    """Threads beside the one that asks. They stay in their process: one that was forked, or has read this, has its own when it first needs them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._process = 0
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, function: Callable[..., T], *arguments: object) -> Future[T]:
        """Let one of them call a function."""
        if self._pool is None or self._process != os.getpid():
            self._process, self._pool = os.getpid(), ThreadPoolExecutor(self._count, "sightline follows")
        return self._pool.submit(function, *arguments)

    def __reduce__(self) -> tuple[type[_Helpers], tuple[int]]:
        return _Helpers, (self._count,)


class MultiTracker(Generic[K, S]):
    """Follows any number of targets, each under a key; they come and go at any frame.

    The boxes equal those of single trackers (within 1e-3 px: batches change the order of sums). Another thread may `add` and `remove` while one is in
    `update`: a target that is marked meanwhile is in the next one, and one that is removed or marked anew is not in this one. Two must not be in `update`.

    Args:
        method: of a loaded tracker: `sightline.load().method`.
        channels: order of plain arrays, as for `load`.
        callers: threads that share the targets of a frame between them; None for as many as this process has cores. With a network call of one
            thread in each, that moves the most targets in a second: load(threads=1) and callers=None. Callers of one target are of no use;
            with few targets a network of many threads, load(threads=None) and callers=1, answers sooner.
    """

    def __init__(self, method: Method[S], *, channels: Channels = "bgr", callers: int | None = 1) -> None:
        callers = num_cores() if callers is None else callers
        if callers < 1:
            raise ValueError(f"callers is {callers}; expected at least 1, or None for one on each core.")
        self.method = method
        self.channels: Channels = channels
        self.callers = callers
        self._helpers = _Helpers(callers - 1) if callers > 1 else None
        self._states: dict[K, S] = {}
        self._lock = Lock()  # of the states' dictionary, never held while something is computed

    def __getstate__(self) -> dict[str, Any]:
        """Without the lock: in another process it is another one."""
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    @property
    def keys(self) -> tuple[K, ...]:
        """Who is followed, in the order of `add`."""
        with self._lock:
            return tuple(self._states)

    def add(self, key: K, image: Frame | Any, box: BoxLike) -> None:
        """Mark a target; a key that is there already starts over. Arguments and errors as `Tracker.init`."""
        frame = Frame.of(image, channels=self.channels)
        state = self.method.begin(frame, Box.checked(box, *frame.size))
        with self._lock:
            self._states[key] = state

    def remove(self, key: K) -> None:
        """Follow a target no longer.

        Raises:
            KeyError: nobody has that key.
        """
        with self._lock:
            del self._states[key]

    def update(self, image: Frame | Any) -> dict[K, Estimate]:
        """Where each target is in the next image; empty where nobody is followed."""
        frame = Frame.of(image, channels=self.channels)
        with self._lock:
            before = dict(self._states)
        results = self._advanced(frame, list(before.values()))
        estimates = {}
        with self._lock:
            for (key, old), (state, estimate) in zip(before.items(), results, strict=True):
                if key in self._states and self._states[key] is old:
                    self._states[key] = state
                    estimates[key] = estimate
        return estimates

    def _advanced(self, frame: Frame, states: list[S]) -> list[tuple[S, Estimate]]:
        """Each state one frame further, in order: an equal share of them by every caller, of whom the one that asks is the first."""
        share = -(-len(states) // self.callers)
        if self._helpers is None or share == 0:
            return self.method.advance([frame] * len(states), states)
        others = [
            self._helpers.submit(self.method.advance, [frame] * len(part), part)
            for part in (states[first : first + share] for first in range(share, len(states), share))
        ]
        try:
            results = self.method.advance([frame] * share, states[:share])
        finally:
            wait(others)
        for other in others:
            results += other.result()
        return results


def load(
    name_or_path: str | Path = DEFAULT,
    *,
    engine: str | None = None,
    threads: int | None = None,
    device: str = "cpu",
    spec: str | None = None,
    precision: Precision = "f32",
    channels: Channels = "bgr",
) -> Tracker[Any]:
    """A tracker, ready for `init`.

    Args:
        name_or_path: a name from `sightline zoo`, or a weights file (.onnx, .safetensors).
        engine: "onnxruntime", "openvino", "torch" or "torch-compile"; None for the one that reads the file; "auto" for the fastest of those that are installed,
            measured for about a second and remembered (`sightline.auto`).
        threads: of one network call, at least 1; None for one per physical core that this process may use.
        device: where the network runs: "cpu", or what else the engine has: "cuda", "cuda:1", "mps", ... of torch, "cuda" of onnxruntime-gpu, "gpu" of openvino.
        spec: name of the tracker, for a file that does not carry its spec.
        precision: "f32"; "bf16" on openvino: faster where the processor has it, with slightly other boxes; "int8", "int8+bf16" where
            `sightline quantize` has made a file. With engine "auto" it is the roughest that may be taken.
        channels: order of plain arrays given to `init` and `update`: "bgr" as OpenCV reads them, or "rgb".

    Warns:
        LittleChecked: the file in int8 was compared with f32 for few objects.

    Raises:
        UnknownTracker, WeightsMissing, WeightsMismatch, BadSpec, EngineError: what they say.
    """
    known = zoo.find(spec) if spec else None
    opening = resolve(name_or_path, engine=engine, threads=threads, device=device, spec=known, precision=precision)
    return opened(opening, channels=channels, stacklevel=3)


def resolve(
    name_or_path: str | Path,
    *,
    engine: str | None,
    threads: int | None = None,
    device: str = "cpu",
    spec: Spec | None = None,
    precision: Precision = "f32",
) -> Opening:
    """How a weights file is opened: as asked for, by its kind (engine None), or in the fastest way ("auto"). Arguments as of `load`.

    Raises:
        WeightsMissing, WeightsMismatch, EngineError: what they say.
    """
    path = find(name_or_path, as_trained=engine in IN_TORCH)
    is_open = engine == "auto"
    asked = Opening.of(path, engine=None if is_open else engine, threads=threads, device=device, spec=spec, precision=precision)
    return choose(asked, method_of) if is_open else asked


def opened(opening: Opening, *, channels: Channels = "bgr", stacklevel: int = 2) -> Tracker[Any]:
    """The tracker of a weights file, opened in one way.

    Args:
        opening: see `resolve`.
        channels: as for `load`.
        stacklevel: whose line a warning names, as of `warnings.warn`: 2 for the caller's.

    Warns, Raises:
        LittleChecked, WeightsMissing, WeightsMismatch, BadSpec, EngineError: as `load`.
    """
    session = opening.open()
    limit = opening.limit()
    if limit is not None:
        warnings.warn(limit, LittleChecked, stacklevel=stacklevel)
    method = method_of(session)
    if isinstance(method, NetworkMethod):
        method = replace(
            method, batch=batch_for(opening.engine, opening.path, opening.threads) if opening.device == "cpu" else session.spec.max_batch
        )
    return Tracker(method, channels=channels)


def method_of(session: Session) -> Method[Any]:
    """The method by which an opened network is used, as its spec says."""
    return METHODS[session.spec.method](session)


def untrained(name: str, *, device: str = "cpu", engine: str = "torch", channels: Channels = "bgr") -> Tracker[Any]:
    """A tracker with random weights, on torch: it runs at its true speed, and its boxes mean nothing.

    Args:
        name: from `sightline zoo`.
        device: "cpu", or what else torch has.
        engine: "torch" or "torch-compile".
        channels: as for `load`.

    Raises:
        UnknownTracker, EngineError: what they say.
    """
    return Tracker(method_of(open_untrained(zoo.find(name), device=device, engine=engine)), channels=channels)

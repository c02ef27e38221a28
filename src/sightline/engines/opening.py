"""How a weights file becomes a session: which engine, in which precision, and which file is really read.

An `Opening` is all of that as a value, and the one place where it is worked out; commands, the choice of the fastest engine, evaluation and
measurements ask it.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from sightline.engines.cores import num_cores
from sightline.errors import EngineError, MissingExtra, WeightsMismatch, WeightsMissing, first_line
from sightline.spec import Spec
from sightline.weights import BUILTIN, init_path, int8_in, int8_path, kind_of, limit_of, sha256_of

if TYPE_CHECKING:
    from sightline.engines import Session

__all__ = [
    "COMPUTES",
    "ENGINES",
    "IN_TORCH",
    "PRECISIONS",
    "Opening",
    "Precision",
    "batch_for",
    "check_precision",
    "engine_of",
    "label_of",
    "open_session",
    "open_untrained",
]

Precision: TypeAlias = Literal["f32", "bf16", "int8", "int8+bf16"]

# by name, so that nothing here imports torch
ENGINES = {
    "onnxruntime": "sightline.engines.onnx",
    "openvino": "sightline.engines.openvino",
    "torch": "sightline.models.session",
    "torch-compile": "sightline.models.compiled",
}
IN_TORCH = ("torch", "torch-compile")  # they read weights as they were trained, and have one number of threads for the whole process
EXTRAS = {"openvino": "openvino", "torch": "convert", "torch-compile": "convert"}  # what each needs beside the core
PRECISIONS: tuple[Precision, ...] = get_args(Precision)  # from the most exact to the roughest
COMPUTES: dict[str, tuple[Precision, ...]] = {
    "onnxruntime": ("f32", "int8"),
    "openvino": PRECISIONS,
    "torch": ("f32",),
    "torch-compile": ("f32",),
}
# targets in one network call of a CPU, of a small network and of a larger one: in a call of one thread, and in one of several
# (`sightline bench --targets 16 --batch 1,2,4 --callers 1,2`, and `--threads 2`)
BATCHES = {
    "onnxruntime": ((1, 1), (2, 1)),
    "openvino": ((1, 2), (2, 2)),
    "torch": ((2, 2), (2, 2)),
    "torch-compile": ((2, 2), (2, 2)),
}
SMALL = 2_000_000  # bytes of a weights file: what a core's own cache holds, about
READS = {"onnx": "onnxruntime", "safetensors": "torch", "torch": "torch", "torchscript": "torch"}
# what a file in int8 is in: f32 and bf16 are said of the rest of it
OF_INT8: dict[Precision, Precision] = {"f32": "int8", "bf16": "int8+bf16"}


@dataclass(frozen=True, slots=True)
class Opening:
    """A weights file in one way of opening it. `Opening.of` makes one of what somebody asks for.

    Attributes:
        path: the file that is asked for.
        engine: key of `ENGINES`.
        precision: what is computed in.
        threads: of one call; None for one per physical core that this process may use.
        device: as the engine names it.
        spec: what the network is, where the file does not say.
    """

    path: Path
    engine: str
    precision: Precision = "f32"
    threads: int | None = None
    device: str = "cpu"
    spec: Spec | None = field(default=None, hash=False)

    @classmethod
    def of(
        cls,
        path: Path,
        *,
        engine: str | None = None,
        precision: Precision = "f32",
        threads: int | None = None,
        device: str = "cpu",
        spec: Spec | None = None,
    ) -> Opening:
        """What is asked for, with the engine that reads the file where none is, and of a file in int8 as what it is: never in f32.

        Raises:
            EngineError: no such engine or precision; `threads` is no whole number from 1 on.
            WeightsMissing, WeightsMismatch: the file cannot be read.
        """
        name = engine or engine_of(path)
        if name not in ENGINES:
            raise EngineError(f"there is no engine called {name!r}; known are {', '.join(ENGINES)}.")
        if precision not in PRECISIONS:
            raise EngineError(f"there is no precision called {precision!r}; known are {', '.join(PRECISIONS)}.")
        number = None if threads is None else _whole(threads)
        return cls(path, name, precision if int8_in(path) is None else OF_INT8.get(precision, precision), number, device, spec)

    def __str__(self) -> str:
        return f"{self.engine} {self.precision}"

    @property
    def label(self) -> str:
        """The engine with the precision where that is not f32, and the device where that is not the processor: what results are told apart by."""
        return label_of(self.engine, self.precision, self.device)

    @property
    def rest(self) -> Precision:
        """What is computed in, apart from what is int8 in the file: "f32" or "bf16"."""
        return "bf16" if "bf16" in self.precision else "f32"

    @property
    def is_computed(self) -> bool:
        """Whether the engine knows the precision; whether this processor does, it says itself."""
        return self.precision in COMPUTES[self.engine]

    @property
    def is_in_torch(self) -> bool:
        """Whether the number of threads is that of the whole process."""
        return self.engine in IN_TORCH

    @property
    def library(self) -> str:
        """The package that computes."""
        return "torch" if self.is_in_torch else self.engine

    def sharing_threads(self) -> Opening:
        """The same for a process that has set torch's number of threads, which is all that can be said to torch."""
        return replace(self, threads=None) if self.is_in_torch else self

    def file(self) -> Path:
        """The file that is read: the int8 form of the one that is asked for, which may be itself, whether anything is there or not.

        Raises:
            WeightsMissing, WeightsMismatch: the one that is asked for cannot be read.
        """
        return int8_path(self.path, self.engine) if "int8" in self.precision and int8_in(self.path) is None else self.path

    def files(self) -> tuple[Path, ...]:
        """That file and, where one lies beside it, that of the graph which reads templates; those that are there."""
        file = self.file()
        return tuple(path for path in (file, init_path(file)) if path.is_file())

    def limit(self) -> str | None:
        """What has to be said of its int8, see `sightline.weights.limit_of`; None where there is nothing."""
        return limit_of(self.file()) if "int8" in self.precision else None

    def check(self) -> None:
        """Refuse what the engine does not compute in, and an int8 form that nobody has made, or made of other weights.

        Raises:
            EngineError, WeightsMissing, WeightsMismatch: what they say.
        """
        check_precision(self.engine, self.precision)
        file = self.file()
        if file == self.path:
            return
        name = self.path.stem if self.path.parent == BUILTIN else self.path
        make = f"`sightline quantize {name} --engine {self.engine} --calibrate DIR`"
        if not file.is_file():
            raise WeightsMissing(f"{self.path.name} has no int8 form for {self.engine} (expected {file}): make it once by {make}.")
        if (int8_in(file) or {}).get("source_sha256") != sha256_of(self.path):
            raise WeightsMismatch(f"{file} was made from other weights than {self.path}: make it again by {make}.")

    def open(self) -> Session:
        """The session.

        Raises:
            EngineError, WeightsMissing, WeightsMismatch, BadSpec, MissingExtra: as `open_session`.
        """
        self.check()
        session: Session = _module(self.engine).open_session(
            self.file(), threads=self.threads, device=self.device, spec=self.spec, precision=self.rest
        )
        return session


def open_session(
    path: Path,
    *,
    engine: str | None = None,
    threads: int | None = None,
    device: str = "cpu",
    spec: Spec | None = None,
    precision: Precision = "f32",
) -> Session:
    """Open a weights file.

    Args:
        path: ONNX (engines onnxruntime and openvino), or safetensors (engine torch).
        engine: a key of `ENGINES`; None for the one that reads this kind of file.
        threads: of one call; None for one per physical core that this process may use.
        device: as the engine names it.
        spec: what the network is, where the file does not say.
        precision: what is computed in; anything but f32 changes boxes. bf16 by the engine openvino alone, where the processor has it;
            int8 where `sightline quantize` has made a file for the engine, which is opened instead ("int8+bf16": bf16 for the rest of it).

    Raises:
        EngineError: unknown engine, or it cannot open the file, or does not compute in that precision; `threads` is no whole number from 1 on.
        MissingExtra: the engine is not installed.
        WeightsMissing, WeightsMismatch, BadSpec: the file.
    """
    return Opening.of(path, engine=engine, threads=threads, device=device, spec=spec, precision=precision).open()


def engine_of(path: Path) -> str:
    """The engine that reads a weights file: of a quantised one, the one that it was made for."""
    made = int8_in(path)
    return str(made["engine"]) if made and made.get("engine") in ENGINES else READS[kind_of(path)]


def label_of(engine: str, precision: str, device: str = "cpu") -> str:
    """See `Opening.label`."""
    way = engine if precision == "f32" else f"{engine} {precision}"
    return way if device == "cpu" else f"{way} on {device.partition(':')[0]}"  # which of several alike makes no other boxes


def check_precision(engine: str, precision: str) -> None:
    """Refuse what an engine does not compute in; all do in f32.

    Raises:
        EngineError: it does not.
    """
    if precision != "f32" and precision not in COMPUTES[engine]:
        able = [other for other, precisions in COMPUTES.items() if precision in precisions]
        raise EngineError(
            f"the {engine} engine computes in {' or '.join(COMPUTES[engine])}, not in {precision}; use engine {' or '.join(able)}."
        )


def batch_for(engine: str, path: Path | None, threads: int | None) -> int:
    """Targets that are cheapest in one network call of a CPU (docs/how-to/several.md).

    In a call of one thread, a network whose weights leave a core's cache finds neither them nor the next crop there at the next call: two
    targets share that. A smaller one keeps its weights, and loses by numbers of two targets, most where other callers share the cache behind.
    Several threads have too little to do in its layers, and more in those of two targets.

    Args:
        engine: a key of `ENGINES`.
        path: the weights file that is asked for; None where weights are random.
        threads: of the call; None for one per physical core.
    """
    small, larger = BATCHES.get(engine, ((1, 1), (1, 1)))[(threads or num_cores()) > 1]
    return small if path is None or path.stat().st_size < SMALL else larger


def open_untrained(spec: Spec, *, device: str = "cpu", engine: str = "torch") -> Session:
    """A network with random weights, on an engine of `IN_TORCH`: to see that a tracker runs and how fast, never to track with.

    Raises:
        EngineError: there is no such device.
        MissingExtra: torch is not installed.
    """
    session: Session = _module(engine).untrained(spec, device=device)
    return session


def _whole(threads: object) -> int:
    """A number of threads, which numpy may have made.

    Raises:
        EngineError: it is none.
    """
    try:
        number = operator.index(threads)  # type: ignore[arg-type]  # what it takes, it says itself
    except TypeError:
        number = 0
    if number < 1:
        raise EngineError(f"threads is {threads!r}; expected a whole number from 1 on, or None for one on each physical core.")
    return number


def _module(engine: str) -> Any:
    try:
        return import_module(ENGINES[engine])
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "sightline" or engine not in EXTRAS:
            raise
        raise MissingExtra(
            f"the engine {engine} needs {package}: pip install 'sightline[{EXTRAS[engine]}]'. Tracking with an ONNX file on onnxruntime does not."
        ) from error
    except ImportError as error:  # a library that it needs is not on this system, or it was built for another one
        raise EngineError(
            f"the engine {engine} is installed and cannot be imported ({first_line(error)}); install it again, or use another engine."
        ) from error

"""What a tracker is, as data: crops, named rules, thresholds, origin. It travels inside the weights as JSON.

Every number which changes a box stands here and nowhere else. Reading is strict: an unknown or wrongly typed key raises
`BadSpec` with its name, so a file written by a newer version is refused instead of half understood. A key that has a
default may be missing: a field is only ever added with a default that changes no tracker, so older files stay readable.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sightline.errors import BadSpec

__all__ = [
    "COPIED",
    "VERSION",
    "Augment",
    "Border",
    "Crop",
    "Feed",
    "History",
    "Hold",
    "Learning",
    "Memory",
    "MethodName",
    "Origin",
    "Padded",
    "Pixels",
    "Reported",
    "Spec",
    "Zoom",
    "spec_from_json",
    "spec_to_json",
]

VERSION = 1
COPIED = 2048 * 2048  # see `Crop.copied`

Border: TypeAlias = Literal["zero", "first-mean", "first-mean-floor"]
CropRule: TypeAlias = Literal[
    "ceil-area",
    "context",
    "context-ceil",
    "context-exact",
    "context-floor",
    "context-round",
    "patch",
    "patch-mostly",
    "patch-round",
    "sides",
    "stretch",
    "stretch-outward",
]
StartRule: TypeAlias = Literal["none", "half-pixel", "whole"]
ClipRule: TypeAlias = Literal["margin", "none", "centre", "near", "sides", "whole", "inside"]
ReportRule: TypeAlias = Literal["none", "corner", "frame"]
SeekRule: TypeAlias = Literal["none", "inside", "frame"]
Pixels: TypeAlias = Literal["uint8", "float32"]
Padded: TypeAlias = Literal["before", "after", "aligned", "corners", "edge", "grid"]
MethodName: TypeAlias = Literal["network", "online", "eco"]
Feed: TypeAlias = Literal["target", "extra", "prior", "padding", "filled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoom:
    """How a crop is bent, so that a target in its middle is seen larger and its surroundings smaller (`sightline.bend`)."""

    factor: float = 1.5  # how many times as large as in an even crop the target would be, if the rest allowed it
    cells: int = 16  # along each side of the grid whose lines move
    bandwidth: float = 64.0  # variance of what counts as target, in pixels, per pixel of its width or height

    def __post_init__(self) -> None:
        if not (self.factor >= 1 and self.cells >= 2 and self.bandwidth > 0):
            raise BadSpec(
                f"zoom {self.factor} with {self.cells} cells and bandwidth {self.bandwidth}: expected at least 1, at least 2, and more than 0."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """Which square around a box a network looks at (rules: `sightline.placement`)."""

    rule: CropRule = "ceil-area"
    factor: float  # side of the square over sqrt(w * h), or as the rule defines it
    size: int  # pixels, after resizing
    border: Border = "zero"  # what stands outside the frame
    pixels: Pixels = "uint8"  # what the network is given, in 0..255
    # is that put around the picture before or after it is resized ("aligned": after, its outermost pixels kept; "edge": before, and
    # it is no colour: the outermost pixels of the frame go on; "grid": after, all of it stretched
    # so that whole pixels of the frame become whole pixels of the crop; "corners": before, and what boxes are mapped by has its corners
    # in the middles of the crop's outermost pixels)
    padded: Padded = "before"
    # where a cut lies partly outside, it is copied with that around it, as authors do; one of more pixels is not, and its crop, where that is smaller, differs by 1 of
    # 255 at most (with OpenCV 5). "before" in uint8 alone; a lost target may ask for as much as 16 frames
    copied: int = COPIED
    small: tuple[float, int] | None = None  # a target under this share of its first frame is searched in this size, at the same scale
    # the crop has as many pixels along a side as what is cut in the first frame, though no fewer and no more than the first two numbers,
    # made an odd multiple of the third; None: `size`
    fitted: tuple[int, int, int] | None = None
    scales: tuple[float, ...] = (1.0,)  # one picture for each, `factor` times it; boxes are fractions of scale 1
    zoom: Zoom | None = None  # None: every part of the square gets as much of the crop as any other


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """When templates change (rules: `sightline.methods.memory`). The first one stays; behind it stands one for each interval.

    With `samples` those of all frames stay, and the network reads about that many of them, evenly spread over time. With a `bank`
    those of good frames stay, and a change fills all places behind the first with some of them, evenly spread.
    """

    every: tuple[int, ...] = ()  # frames between two changes of each further template
    above: float = 0.0  # only where the score is larger than this
    keep: Literal["last", "best"] = "last"  # a change takes the frame at which it is due, or the best one since the change before
    decay: float = 1.0  # of the best score, in every frame
    otherwise: Literal["keep", "first"] = "keep"  # where no score was larger: nothing changes, or the first template is taken
    turns: bool = False  # one place after another changes; those behind the second template are empty until it is their turn
    together: bool = False  # `init` reads all templates at once, and again when one has changed
    mix: float = 0.0  # share of every frame's template in what is kept of the first, as a running mean; 0: that stays
    samples: int = 0  # how many templates are read, or one more; 0: one for each place
    bank: int = 0  # how many templates stay, the latest; 0: none but those that are read

    def __post_init__(self) -> None:
        if any(every < 1 for every in self.every):
            raise BadSpec(f"the memory changes every {self.every} frames; expected whole numbers from 1 on.")
        if not 0 <= self.mix < 1 or (self.mix and (self.every or self.samples)):
            raise BadSpec(f"the memory mixes {self.mix} of a template in; expected a share from 0 to below 1, and one template.")
        if self.samples and (self.samples < 2 or self.every):
            raise BadSpec(
                f"the memory samples {self.samples} templates and has intervals {self.every}; expected 2 samples or more, and no intervals."
            )
        if self.bank and (self.bank < self.slots or len(set(self.every)) != 1):
            raise BadSpec(
                f"the memory has a bank of {self.bank} and changes every {self.every} frames; expected one interval, the same for"
                " each place, and a bank of no fewer templates than are read."
            )
        if self.turns and len(set(self.every)) != 1:
            raise BadSpec(f"templates take turns every {self.every} frames; expected one interval, the same for each.")

    @property
    def slots(self) -> int:
        """How many templates there are in the beginning: always, but with `samples`."""
        return 1 + len(self.every)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Which of a target's past boxes a network is given: `length` of them, `every` frames apart, up to the last one."""

    length: int
    every: int = 1

    def __post_init__(self) -> None:
        if self.length < 1 or self.every < 1:
            raise BadSpec(f"a history of {self.length} boxes, {self.every} frames apart; expected whole numbers from 1 on.")

    @property
    def reach(self) -> int:
        """How many of the last boxes have to be known."""
        return (self.length - 1) * self.every + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Where a target is looked for after a frame whose score is under `Spec.lost_below` (rule: `sightline.methods.hold`).

    As large as in the frame that was surest of it, and where it would be by its motion: the found box is reported, and not followed.

    Raises:
        BadSpec: shares that are none, or a wait without an end.
    """

    fade: float = 0.98  # of the best score, in every frame: how long the size of an old frame outweighs those of later, less sure ones
    slow: float = 0.8  # of the motion, in every lost frame
    reach: float = 1.0  # waited for no longer than the target needs for so many of its sizes, at the speed that it had
    longest: int = 30  # frames, whatever the speed

    def __post_init__(self) -> None:
        if not 0 < self.fade <= 1:
            raise BadSpec(f"the best score fades to {self.fade} of itself in every frame; expected more than 0, and at most 1.")
        if not (0 <= self.slow <= 1 and self.reach > 0 and self.longest > 0):
            raise BadSpec(
                f"a lost target slows to {self.slow} of its motion, and is waited for {self.longest} frames or {self.reach} sizes; "
                "expected a share of 0 to 1, and waits of more than 0."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Further pictures of a first frame, by which a filter is learned. Those that are not shifted wander at random.

    They are cut from one crop of twice the side; lengths are fractions of the crop.
    """

    shifts: tuple[tuple[float, float], ...] = ()  # down and across, fractions of half the crop
    flip: bool = False  # left for right
    blurs: tuple[tuple[float, float], ...] = ()  # deviations down and across, in pixels
    rotations: tuple[float, ...] = ()  # degrees
    wander: float = 0.0  # how far, in all
    dropouts: tuple[float, ...] = ()  # shares of channels that a copy of the first sample lacks
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How a filter is learned while tracking (`sightline.methods.online`).

    gauss-newton      a filter and a projection on the first frame, then the filter, by conjugate gradients; nothing of it in the weights
    steepest-descent  the filter; the network says what of each response counts, and how far each step goes
    """

    solver: Literal["gauss-newton", "steepest-descent"]
    slots: int  # samples that are kept
    first: tuple[int, ...]  # iterations on the first frame, one number for each linearisation
    later: int  # iterations of a later run
    every: int  # frames between two of those
    hard: int  # iterations at once, where something else looked like the target
    rate: float = 0.01  # weight of a new sample
    hard_rate: float = 0.02  # and of one with something else in it
    first_share: float = 0.25  # weight that the samples of the first frame keep together
    bound: float = 0.05  # gauss-newton: the lowest response
    ridge: float = 0.1  # weight of the filter, and of the projection
    projection_ridge: float = 1e-4
    augment: Augment = Augment()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a tracker comes from, and under which terms."""

    paper: str = ""
    code: str = ""
    license: str = ""  # of the authors' code
    weights: str = ""  # where the weights are to be had, and their licence
    url: str = ""  # of the authors' file, where it can be fetched from one public address
    sha256: str = ""  # of that file


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A figure that somebody published: never measured by us."""

    dataset: str
    metric: str
    value: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One tracker. `arch` is the `Arch` of its family (`sightline.zoo.<family>`)."""

    name: str
    family: str
    arch: Any
    method: MethodName = "network"  # by which its network is used (`sightline.methods`)
    template: Crop
    search: Crop
    memory: Memory = Memory()
    feed: tuple[Feed, ...] = ()  # further inputs that the network asks for
    history: History | None = None  # and past boxes
    max_batch: int = 32
    learning: Learning | None = None  # of the method "online"
    start: StartRule = "none"  # what becomes of the given box, of every predicted box, and of what is reported
    clip: ClipRule = "margin"
    report: ReportRule = "none"
    seek: SeekRule = "none"  # what becomes of the predicted box before the next search starts from it
    score: Literal["probability", "response", "none"] = "probability"
    mask_above: float = 0.5  # where it says masks: values over this count as the target's
    lost_below: float | None = None  # scores under this: the status is "lost"
    sure_above: float | None = None  # scores from this on: "tracked"; between: "uncertain"
    hold: Hold | None = None  # of the method "network", while lost; None: what was found is followed, whatever its score
    origin: Origin = Origin()
    reported: tuple[Reported, ...] = ()
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.hold is not None and (self.lost_below is None or self.score != "probability"):
            raise BadSpec(
                f"{self.name} holds lost targets, which needs a score that is a probability, and `lost_below` to say when one is lost."
            )


def spec_to_json(spec: Spec) -> str:
    """The spec as one line of JSON; `spec_from_json` gives an equal spec back."""
    return json.dumps(dataclasses.asdict(spec), separators=(",", ":"), sort_keys=True)


def spec_from_json(text: str, arches: typing.Mapping[str, type]) -> Spec:
    """Read a spec strictly.

    Args:
        text: what `spec_to_json` wrote.
        arches: family name -> its `Arch` dataclass.

    Raises:
        BadSpec: not JSON, another version, an unknown family, an unknown or missing key, or a value of a wrong type.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadSpec(f"the spec is not JSON ({error}); convert or export the weights again.") from error
    if not isinstance(data, dict):
        raise BadSpec("the spec is not a JSON object; convert or export the weights again.")
    if data.get("version") != VERSION:
        raise BadSpec(
            f"the spec has version {data.get('version')!r}, this Sightline reads {VERSION}: install the version that wrote it, or convert again."
        )
    family = data.get("family")
    if not isinstance(family, str) or family not in arches:
        raise BadSpec(f"the spec names the family {family!r}; known are {', '.join(sorted(arches))}.")
    arch = _read(arches[family], data.pop("arch", None), "arch")
    return typing.cast(Spec, _read(Spec, data, "spec", arch=arch))


def _read(kind: type, data: object, where: str, **given: object) -> Any:
    """A dataclass of `kind` from a plain dict, every key checked."""
    if not isinstance(data, dict):
        raise BadSpec(f"{where} is {data!r}; expected an object with the keys of {kind.__name__}.")
    hints = typing.get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.name not in given]
    names = [field.name for field in fields]
    required = [field.name for field in fields if field.default is dataclasses.MISSING]
    unknown, missing = sorted(set(data) - set(names)), sorted(set(required) - set(data))
    if unknown or missing:
        raise BadSpec(
            f"{where}: unknown keys {unknown}, missing keys {missing}; the file was written by another version of Sightline (spec version {VERSION} is read here)."
        )
    values = {name: _convert(hints[name], data[name], f"{where}.{name}") for name in names if name in data}
    return kind(**values, **given)


def _convert(hint: Any, value: object, where: str) -> object:
    """`value` from JSON as the type `hint`, or BadSpec."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _read(typing.cast(type, hint), value, where)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _convert(next(a for a in arguments if a is not type(None)), value, where)
    if origin is typing.Literal:
        if value in arguments:
            return value
        raise BadSpec(f"{where} is {value!r}; expected one of {list(arguments)}.")
    if origin is tuple and isinstance(value, list):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) == len(value):
            return tuple(_convert(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True)))
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and isinstance(value, bool) == (hint is bool):
        return value
    raise BadSpec(f"{where} is {value!r}; expected {hint}.")

"""Nothing of the evaluation sequences is in the training data: no picture looks like one of theirs, and no source video is the same.

Pictures are compared by difference hashes (64 bits: is a pixel of the 9 x 8 thumbnail darker than its right neighbour?), whole frames and
the surroundings of the target as training pictures show them. Thumbnails of sky or fog differ by noise alone and hash alike by chance, so
only hashes count of which half of the differences or more are clear; what the others show is told apart by the names of source videos.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Grey: TypeAlias = NDArray[np.uint8]

CLEAR = 4  # grey levels
ENOUGH = 0.5  # of the differences
SAME = 4  # bits: re-encoded copies differ by fewer, and of six million pairs of other pictures none did (the nearest: 6)


class Hash(NamedTuple):
    """64 bits, and the share of them that stand for a clear difference."""

    bits: np.uint64
    clear: float


def hashed(image: Grey) -> Hash:
    small = cv2.resize(image, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    steps = small[:, 1:] - small[:, :-1]
    return Hash(np.packbits(steps > 0).view(np.uint64)[0], float((np.abs(steps) >= CLEAR).mean()))


def distances(first: list[Hash], second: list[Hash]) -> NDArray[np.uint8]:
    """(N, M) how many bits differ."""
    a, b = (np.array([one.bits for one in hashes], np.uint64) for hashes in (first, second))
    return np.bitwise_count(a[:, np.newaxis] ^ b)  # type: ignore[no-any-return]  # numpy's ufuncs are Any


def textured(hashes: list[tuple[str, Hash]]) -> list[tuple[str, Hash]]:
    return [(name, one) for name, one in hashes if one.clear >= ENOUGH]


def evaluation_pictures(root: Path, step: int) -> Iterator[tuple[str, Grey]]:
    """Every so many frames of every sequence, whole, and the target's surroundings as `data/train` stores them."""
    for folder in sorted(path.parent for path in root.glob("*/groundtruth.txt")):
        truth = np.loadtxt(folder / "groundtruth.txt", delimiter=",", ndmin=2)
        for i, path in list(enumerate(sorted((folder / "img").iterdir())))[::step]:
            image = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)
            yield f"{folder.name}/{i}", image
            x, y, w, h = truth[i]
            if np.isfinite(x):
                half = max(4.5 * math.sqrt(w * h), 1.25 * max(w, h), 32) / 2
                left, top = (max(0, int(middle - half)) for middle in (x + w / 2, y + h / 2))
                yield f"{folder.name}/{i} around the target", image[top : int(y + h / 2 + half), left : int(x + w / 2 + half)]


def training_pictures(root: Path) -> Iterator[tuple[str, Grey]]:
    for line in (root / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        with (root / entry["shard"]).open("rb") as file:
            file.seek(entry["offset"])
            content = np.frombuffer(file.read(entry["length"]), np.uint8)
        yield entry["name"], np.asarray(cv2.imdecode(content, cv2.IMREAD_REDUCED_GRAYSCALE_2), np.uint8)


def clip_pictures(root: Path) -> Iterator[tuple[str, Grey]]:
    """The key frames of every clip, about one a second."""
    for path in sorted(root.glob("*.mp4")):
        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.skip_frame = "NONKEY"
            for i, frame in enumerate(container.decode(video=0)):
                yield f"{path.stem}/{i}", np.asarray(frame.to_ndarray(format="gray"), np.uint8)


@pytest.fixture(scope="module")
def held_out(shared: Path) -> list[tuple[str, Hash]]:
    return [(name, hashed(image)) for name, image in evaluation_pictures(shared / "data" / "eval", step=4)]


def test_no_training_picture_looks_like_one_of_an_evaluation_sequence(shared: Path, held_out: list[tuple[str, Hash]]) -> None:
    pictures = [*training_pictures(shared / "data" / "train"), *clip_pictures(shared / "data" / "video")]
    known, theirs = textured([(name, hashed(image)) for name, image in pictures]), textured(held_out)
    assert len(known) > 0.6 * len(pictures)
    assert len(theirs) > 0.7 * len(held_out)
    alike = np.argwhere(distances([one for _, one in theirs], [one for _, one in known]) <= SAME)
    assert [(theirs[i][0], known[j][0]) for i, j in alike] == []


def test_a_copy_in_other_light_and_size_would_be_found(shared: Path) -> None:
    found = []
    for _, image in list(evaluation_pictures(shared / "data" / "eval", step=40)):
        copy = cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_LINEAR)
        packed = cv2.imencode(".jpg", cv2.convertScaleAbs(copy, alpha=0.85, beta=12), [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
        original, again = hashed(image), hashed(np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8))
        if original.clear >= ENOUGH:
            found.append(int(distances([original], [again])[0, 0]) <= SAME)
    assert len(found) > 50
    assert np.mean(found) > 0.9  # and a sequence has many pictures


def test_no_source_video_of_an_evaluation_sequence_was_learnt_from(shared: Path) -> None:
    """What hashes cannot tell: drones, birds and aircraft before the sky, whose tracks and clips are named as the source names them."""
    origins: list[dict[str, Any]] = [json.loads(path.read_text()) for path in (shared / "data" / "eval").glob("*/meta.json")]
    used = {Path(str(origin["source_path"])).stem.lower() for origin in origins}
    lines = [
        json.loads(line) for folder in ("train", "video") for line in (shared / "data" / folder / "index.jsonl").read_text().splitlines()
    ]
    learnt = {Path(str(line.get("path", line.get("track")))).stem.lower() for line in lines}
    assert {"ir_drone_043", "v_drone_013", "ir_helicopter_003"} <= used
    assert "ir_drone_001" in learnt
    assert used.isdisjoint(learnt)

"""A tiny data folder, and a recipe that trains on it for two steps."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import simplejpeg

from sightline.train.recipe import Data, Optim, Recipe, Share

SHARES = (Share(weight=1.0, sources=("clips",)), Share(weight=1.0, sources=("stills",)))
DATA = Data(shares=SHARES, center_jitter=1.0, absent=0.25, stretch=0.1)
RECIPE = Recipe(
    name="kestrel-nano", data=DATA, validation=DATA, optim=Optim(rate=1e-3, warmup=1), steps=2, batch=2, validation_pairs=4, save_every=1
)
RECIPE = replace(RECIPE, workers=0)


def make_data(folder: Path) -> Path:
    """Two videos of three pictures and two stills in each split: a bright square on a dim noisy ground."""
    rng = np.random.default_rng(0)
    lines = []
    with (folder / "made.tar").open("wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for split in ("train", "val"):
            for source, kind, frames in (("clips", "video", 3), ("stills", "still", 1)):
                for track in range(2):
                    for frame in range(frames):
                        image = rng.integers(0, 90, (100, 120, 3), dtype=np.uint8)
                        image[30:50, 40 + frame : 64 + frame] = 200 - 50 * track
                        content = simplejpeg.encode_jpeg(image, quality=90)
                        info = tarfile.TarInfo(f"{source}/{split}{track}_{frame}.jpg")
                        info.size = len(content)
                        offset = tar.offset + 512
                        tar.addfile(info, io.BytesIO(content))
                        lines.append(
                            {
                                "shard": "made.tar", "offset": offset, "length": len(content), "source": source, "kind": kind,
                                "track": f"{source}/{split}{track}_0", "frame": frame, "split": split,
                                "box": [40.0 + frame, 30.0, 24.0, 20.0], "crop": [10, 0, 120, 100], "frame_size": [200, 100],
                            }
                        )  # fmt: skip
    (folder / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder

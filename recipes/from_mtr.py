"""Does a short pre-training help a tracker that is trained shortly? `sightline ablate recipes/from_mtr.py --data DATA VIDEO --output runs/from-mtr`."""

from __future__ import annotations

from dataclasses import replace

from sightline.train.ablate import Study, Variant
from sightline.train.studies import BASE, ENCODER

ENCODED = replace(ENCODER, steps=500, save_every=500, batch=16)
TRACKER = replace(BASE, steps=200, save_every=200, batch=16)

STUDY = Study("start", {"random": Variant(TRACKER), "mtr-nano": Variant(TRACKER, ENCODED)}, seeds=(0, 1))

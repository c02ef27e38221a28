"""Does a short pre-training help a tracker that is trained shortly? `sightline ablate recipes/from_mtr.py --data DATA VIDEO --output runs/from-mtr`."""

from __future__ import annotations

from sightline.train.ablate import Study, Variant
from sightline.train.studies import BASE, ENCODER

STUDY = Study("start", {"random": Variant(BASE), "mtr-nano": Variant(BASE, ENCODER)}, seeds=(0, 1))

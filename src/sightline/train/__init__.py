"""Training of small trackers on a CPU. Needs the extra `train`.

    from sightline.train import RECIPES, fit
    fit(RECIPES["kestrel-nano"](), Path("data"), Path("runs/kestrel-nano"))

`recipe.py` says what a run is, `recipes/` holds ours, `loop.py` is the run, `tracker.py` what it learns, `feed.py` what it is fed, `log.py` what it
writes; `pairs.py`, `augment.py`, `targets.py` and `losses.py` make samples and losses, `validate.py` tries held-out pairs, `calibrate.py` finds
the two thresholds of a status. `pretrain/` comes before all that: encoders that learn without labels.
"""

from __future__ import annotations

from sightline.train.folder import Report
from sightline.train.pretrain.recipe import PRETRAINING, Pretraining
from sightline.train.pretrain.run import pretrain
from sightline.train.recipe import Recipe
from sightline.train.recipes import RECIPES
from sightline.train.tracker import fit

__all__ = ["PRETRAINING", "RECIPES", "Pretraining", "Recipe", "Report", "fit", "pretrain"]

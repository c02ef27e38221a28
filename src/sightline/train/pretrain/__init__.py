"""Masked pre-training: the encoder of a tracker learns, without labels, to draw the patches that it is not shown.

`recipe.py` says what a run is and holds the published ones, `run.py` is what `train/loop.py` then does, `start.py` puts the encoder into a tracker.
`network.py` is the autoencoder (MAE, TwinMAE, DropMAE, MAT, MTR by its `Arch`), `masks.py` says what is hidden and what a drawing
costs, `stems.py` keeps hidden pixels from leaking through convolutions, `dropout.py` makes attention look at the other frame,
`picture.py` shows what was drawn.
"""

from __future__ import annotations

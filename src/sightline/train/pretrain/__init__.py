"""Masked pre-training: the encoder of a tracker learns, without labels, to draw the patches that it is not shown.

`network.py` is the autoencoder (MAE, TwinMAE, DropMAE, MAT, MTR by its `Arch`), `masks.py` says what is hidden and what a drawing
costs, `stems.py` keeps hidden pixels from leaking through convolutions, `dropout.py` makes attention look at the other frame.
"""

from __future__ import annotations

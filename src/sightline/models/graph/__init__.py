"""Exported graphs that give engines less to do: the same numbers from fewer nodes.

    translations   how torch's exporter writes attention and linear layers
    pixels         the normalisation of pixels moved into the first convolution, which reads them in the order in which they lie in memory
    residuals      inverted residuals on large maps, computed a few channels at a time
    half           large weights stored in half precision
    values         a graph indexed by the names of its values: where `pixels` and `residuals` look things up

Translations are given to the exporter; the others change in place what it has made. `models.export` has their order.
"""

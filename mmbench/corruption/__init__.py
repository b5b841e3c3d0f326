"""Test items made worse on purpose: which corruptions there are, and items as they leave them.

`noise` has what is done to an item of each kind, `model` what a cell is told of it and how the
matrix file's ``[corruption]`` becomes a list, `items` the items themselves. The jobs that embed
them and predict on them are in `predicting`, their planning in `mmbench.predictions`.
"""

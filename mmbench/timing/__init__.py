"""Measuring what serving costs: clocks, samples, scenarios, memory, energy and conditions.

Nothing here knows a matrix, a plan or a store. A measured thing is a callable that is given the
numbers of the samples it shall process (`mmbench.timing.sampling.Work`).
"""

"""What combinations cost to serve: which parts are timed, how, and what a cell's figure is made of.

`mmbench.timing` measures callables; here these are parts of fitted combinations (`work`), timed in
a process of their own (`job`) as the plan wants it (`schedule`), composed to the figures of cells
(`composition`), and kept in the table of timings (`table`).
"""

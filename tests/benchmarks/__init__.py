"""How fast the package is next to a hand-written Prefect flow that does the same.

`python -m tests.benchmarks` prints one table and writes `bench-results.json`. It is no test: nothing is asserted on
time.
"""

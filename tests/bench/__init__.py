"""Benchmarks: ratios against peers, in one run on one machine. `nox -s bench [-- NAME…]`; never part of the tests."""

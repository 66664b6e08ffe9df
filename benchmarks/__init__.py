"""Programs that measure, each printing its figures; run with `python -m benchmarks.NAME`."""

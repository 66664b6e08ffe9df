"""Our engine and others on the same prompts, each in a process of its own: `python -m benchmarks.peers`."""


def main() -> None:
    """Measure and print. The peers' own processes import this package without the project's libraries."""
    from benchmarks.peers.__main__ import main as measure_and_print

    measure_and_print()

"""Our engine and others on the same prompts, each in a process of its own: `python -m benchmarks.peers`."""

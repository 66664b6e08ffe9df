"""Learn virtual tokens: examples, loss, the loop, checkpoints. Everything but the tokens is frozen.

Knows nothing of the command line or the page.
"""

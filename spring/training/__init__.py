"""Learn virtual tokens by gradient descent; every weight of the language model is frozen.

Holds the samples, the loss, the training loop, its checkpoints and the initial values. Knows nothing of the command
line or the page.
"""

"""Generate the answers for several k at once over one cache of the passages, and compare them.

Knows nothing of scores, training or who asks.
"""

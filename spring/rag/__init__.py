"""Find the passages for a question and lay out the prompt: terms, BM25, the sample collections.

Knows nothing of models: a prompt is text on either side of the seam.
"""

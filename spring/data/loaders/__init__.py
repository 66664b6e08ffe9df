"""From the bytes of a file to pages of clean text: one file for each format, and the registry that chooses.

Knows nothing of names, passages or processes.
"""

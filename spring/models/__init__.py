"""Frozen backbones, their tokenization and their virtual tokens: find, check, load.

Knows nothing of generating or learning.
"""

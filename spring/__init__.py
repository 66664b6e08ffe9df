"""SPRING: answers from documents, with and without learned virtual tokens (arXiv 2405.19670)."""

__version__ = "0.1.0"

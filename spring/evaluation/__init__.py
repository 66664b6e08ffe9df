"""Score answers to question files: metrics, the run over k, its summary and its files.

Knows engines by their interface alone, and nothing of training.
"""

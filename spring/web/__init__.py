"""The Gradio page and its server: layout, tabs, HTML, visitors, and the gateway in front.

Nothing here computes an answer; torch is imported by `zero_gpu` alone.
"""

"""Render results as escaped HTML.

Documents, questions and answers reach the page through `escape` alone.
"""

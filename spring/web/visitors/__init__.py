"""Who asks: the request queue, connections, sessions, uploads and what is checked of a request.

Knows nothing of the layout.
"""

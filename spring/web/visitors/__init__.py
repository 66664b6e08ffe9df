"""Who asks: request queue, connections, sessions, documents, uploads, and checks of what is sent.

Knows nothing of Gradio and the layout.
"""

"""Check requests before Gradio sees them: routes, bodies, uploads, headers; and patch Gradio.

Knows nothing of questions and answers.
"""

"""What the server lets in before Gradio sees it: routes, bodies, uploads, headers; and the patches of Gradio.

Knows nothing of questions and answers.
"""

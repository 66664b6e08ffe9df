"""A served model: vLLM, or another server with OpenAI's completions, that has loaded an exported folder.

Needs no torch. The server's key and its own words reach no message, log or visitor.
"""

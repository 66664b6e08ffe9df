"""An engine in a process of its own: client, server, and the messages between them.

Whatever happens to the model, the process that serves the page lives on.
"""

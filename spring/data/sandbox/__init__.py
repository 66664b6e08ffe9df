"""Read strangers' files in a child process with limits, which may be killed.

The parent trusts nothing that the child says; the child has no secrets and writes no file.
"""

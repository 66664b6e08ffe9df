"""The command line: one file for each command, which reads options and prints results.

Imports torch only when a command needs a model.
"""

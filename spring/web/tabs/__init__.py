"""The handlers of the tabs: from what a visitor sets to calls of the package, and back to HTML.

One file for each tab.
"""

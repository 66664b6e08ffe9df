"""The form and the tabs, one file each for layout and handlers; the wiring and the streaming action that all use.

A new tab is one file and one entry in `layout.TABS`.
"""

"""The form and the tabs: one file each for layout and handlers, and the wiring of events that all use.

A new tab is one file and one entry in `layout.TABS`.
"""

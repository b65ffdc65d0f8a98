"""`make bench`: what large things cost, each beside something that is measured in the same run.

A part is a module here with a function `measure`, and a place of the same name in docs/performance.md.
"""

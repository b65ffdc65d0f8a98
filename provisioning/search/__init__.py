"""Searching the history: what an action speaks of, whom a typed address means, and kept questions."""

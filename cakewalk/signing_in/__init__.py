"""Signing in: who somebody is, how often that may be tried, for how long it holds, when it is asked again."""

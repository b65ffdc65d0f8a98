"""Trouble that operators hear of without looking: found, told once for each cause, and again when over."""

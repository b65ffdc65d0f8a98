"""Whether this installation works: who has been heard from, what answers, what can be counted."""

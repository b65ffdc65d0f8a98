"""How dates read, by language: the day before the month, and the hour from 0 to 24."""

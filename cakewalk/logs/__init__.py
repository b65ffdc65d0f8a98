"""What is logged, in one form from every process, and by what its lines belong together."""

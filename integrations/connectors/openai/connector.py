"""placeholder while the client is being written"""

CONNECTOR = None

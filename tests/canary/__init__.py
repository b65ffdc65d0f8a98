"""Plant secrets, live a whole life with them, search for them wherever they must not be: `make canary`."""

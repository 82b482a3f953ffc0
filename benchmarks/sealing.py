"""The sealing path: bytes of a page in, committed rows out, one process."""

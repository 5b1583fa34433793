"""One use case a file: what happens, in which order, between which records in the log."""

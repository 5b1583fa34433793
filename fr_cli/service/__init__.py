"""One account owns the home, many ask: what stands between a Unix socket and the operations."""

"""The socket service: one home for many users."""

"""fr: operator-initiated facial identification with a signed record of every act."""

__version__ = "0.1.0"

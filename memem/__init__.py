"""memem: a local-first memory for coding agents."""

__version__ = "3.0.0"

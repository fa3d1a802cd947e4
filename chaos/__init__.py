"""Faults on real processes while messages flow, and what became of each message; ``python -m chaos``."""

"""Measurements: each prints its rows; none of them is a test."""

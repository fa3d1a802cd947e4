"""Measurements on real parts: each prints its rows; none of them is a test."""

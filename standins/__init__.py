"""What stands in for services outside, and the tap before real ones, for tests and benchmarks; not distributed."""

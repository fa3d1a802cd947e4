"""What stands in for services outside in fast tests and benchmarks; not part of the distribution."""

"""Language models: one module a provider, and the chain that asks them in order of preference."""

"""Embeddings: texts in, vectors out; one module a provider behind one protocol."""

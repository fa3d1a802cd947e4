"""Floor 3, the workshop: jobs in, answers out."""

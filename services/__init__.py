"""Floor 1: one room for each thing that is not ours. Knows nothing of conferences or turns."""

"""How well the search finds: judged questions, asked through the search's one public call. For developers only."""

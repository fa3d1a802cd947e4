"""Floor 2: what a domain knows, one folder each: intents, tools, prompts, policy."""

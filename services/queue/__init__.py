"""The queue: jobs by name, their payloads, and the arq client and runner behind them."""

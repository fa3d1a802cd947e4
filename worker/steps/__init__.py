"""The steps: one module for the work of each state. None of them decides how a turn is saved."""

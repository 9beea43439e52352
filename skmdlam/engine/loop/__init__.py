"""The loop of a run, and its exchangeable parts: sources, schedules, judges."""

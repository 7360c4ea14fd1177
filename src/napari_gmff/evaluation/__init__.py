"""The scoreboard: scenes with known truth, scores of every engine on them, and the report."""

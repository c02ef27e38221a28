"""How good a track is. Metrics are pure functions; a printed number names the rules that it was counted by."""

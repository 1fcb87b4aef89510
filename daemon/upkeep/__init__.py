"""What keeps the house: the JSON state, the backups, and the broom."""

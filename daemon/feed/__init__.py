"""What happens, told as it happens to whoever listens: the events that the API streams."""

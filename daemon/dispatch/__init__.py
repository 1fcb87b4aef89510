"""From an alert to a person: who is told, when, in which words, and over which channel."""

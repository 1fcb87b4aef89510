"""What is watched: failures, alerts, and the word to systemd."""

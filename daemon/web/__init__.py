"""The HTTP API: for the local command line, for programs, and for the dashboard."""

"""The HTTP API that the local command line talks to."""

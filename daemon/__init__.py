"""What runs and watches: the engine, the channels, the control API and the command line."""

__version__ = "0.1.0"

"""The config: read once, every mistake told at once, frozen from then on."""

from daemon.config.load import Config, load_config
from daemon.config.problems import ConfigError, Problem

__all__ = ["Config", "ConfigError", "Problem", "load_config"]

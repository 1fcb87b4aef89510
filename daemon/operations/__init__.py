"""What can be asked of an open home: by the control API, and by the command line where no daemon runs.

Answers are plain dictionaries in the words of the JSON state. What changes something has been made
durable when its answer is given.
"""

from daemon.operations.refusals import Unfit, Unknown, parse_until
from daemon.operations.work import Operations, digest_args

__all__ = ["Operations", "Unfit", "Unknown", "digest_args", "parse_until"]

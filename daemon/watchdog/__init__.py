"""The second process: sees from outside that the daemon hangs or is gone, and says so by itself.

It is of the standard library alone: what breaks the daemon's own packages must not break this.
"""

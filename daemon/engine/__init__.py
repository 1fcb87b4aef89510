"""Schedules, the queue and the worker that serves it."""

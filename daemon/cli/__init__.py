"""The command line: the table of its commands. A row is loaded when it is called, so `--help` loads none."""

from typing import NamedTuple


class Row(NamedTuple):
    """A command: where it is, and what the help says of it."""

    command: str
    summary: str


COMMANDS = {
    "demo": Row("daemon.cli.demo:demo", "A whole night and morning on sample data, in under a minute."),
    "init": Row("daemon.cli.init:init", "Write a configuration to start from."),
    "run": Row("daemon.cli.run:run", "Run the daemon in the foreground."),
    "watchdog": Row("daemon.cli.watchdog:watchdog", "Watch the daemon from outside, as a second process."),
    "status": Row("daemon.cli.status:status", "How it is."),
    "schedules": Row("daemon.cli.schedules:schedules", "When things fire; pause and resume."),
    "tasks": Row("daemon.cli.tasks:tasks", "What waits and what runs."),
    "history": Row("daemon.cli.tasks:history", "What ran."),
    "trigger": Row("daemon.cli.trigger:trigger", "Run a schedule now, in the daemon."),
    "run-once": Row("daemon.cli.trigger:run_once", "Run one handler now, with or without a daemon."),
    "items": Row("daemon.cli.items:items", "The leads that wait for the nightly batch."),
    "digest": Row("daemon.cli.digest:digest", "The digests: list, show, send."),
    "companies": Row("daemon.cli.companies:companies", "Who is owed a report: the roster."),
    "reports": Row("daemon.cli.reports:reports", "The daily reports, and those that lack."),
    "emergency": Row("daemon.cli.emergency:emergency", "Have reports be there now, by a plan."),
    "backup": Row("daemon.cli.backup:backup", "The backup of the daily reports, by hand."),
    "coverage": Row("daemon.cli.coverage:coverage", "How many have the report they are owed."),
    "certificate": Row("daemon.cli.coverage:certificate", "What proves a date's coverage."),
    "why": Row("daemon.cli.coverage:why", "Why a company has its report, or has not."),
    "alerts": Row("daemon.cli.alerts:alerts", "What somebody has to know."),
    "token": Row("daemon.cli.token:token", "A bearer token for the HTTP API."),
    "config": Row("daemon.cli.config:config", "Check the configuration, show it, or its schema."),
    "state": Row("daemon.cli.state:state", "Verify what is remembered, or show it."),
    "notify": Row("daemon.cli.notify:notify", "Send a test message on a channel."),
    "health": Row("daemon.cli.health:health", "How everything is, and the daily report of it."),
    "monitor": Row("daemon.cli.monitor:monitor", "How full the queues are; what was delivered."),
    "test": Row("daemon.cli.notify:test", "Try out what the daemon relies on."),
}

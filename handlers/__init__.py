"""What the daemon is for: the jobs, one file each. This table is how it finds them."""

HANDLERS = {
    "nightly-batch": "handlers.nightly_batch:nightly_batch",
    "send-digest": "handlers.send_digest:send_digest",
    "daily-reports": "handlers.daily_reports:daily_reports",
    "backup-reports": "handlers.backup_reports:backup_reports",
    "write-reports": "handlers.write_reports:write_reports",
    "daily-health": "handlers.daily_health:daily_health",
    "try-llm": "handlers.try_llm:try_llm",
    "try-source": "handlers.try_source:try_source",
    "heartbeat": "handlers.heartbeat:heartbeat",
    "command": "handlers.command:command",
}

# What is stepped now and then beside the jobs, as the daemon's own parts are.
PARTS = {
    "llm-probing": "handlers.llm.probing:Probing",
}

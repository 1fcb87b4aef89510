"""What the daemon is for: the jobs, one file each. This table is how it finds them."""

HANDLERS = {
    "nightly-batch": "handlers.nightly_batch:nightly_batch",
    "send-digest": "handlers.send_digest:send_digest",
    "heartbeat": "handlers.heartbeat:heartbeat",
    "command": "handlers.command:command",
}

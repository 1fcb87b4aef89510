"""The tables of the database as SQL: how they began, and each step since."""

FIRST = """
CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE task (
    id TEXT PRIMARY KEY, handler TEXT NOT NULL, args TEXT NOT NULL, state TEXT NOT NULL,
    trigger TEXT NOT NULL, lane TEXT NOT NULL, schedule TEXT, slot TEXT, key TEXT,
    attempt INTEGER NOT NULL, max_attempts INTEGER NOT NULL,
    scheduled_at TEXT NOT NULL, started_at TEXT, finished_at TEXT, error TEXT, summary TEXT
) WITHOUT ROWID;

-- one row per finished attempt; the pair is unique, so no attempt is recorded twice
CREATE TABLE run (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, handler TEXT NOT NULL, args TEXT NOT NULL, state TEXT NOT NULL,
    trigger TEXT NOT NULL, lane TEXT NOT NULL, schedule TEXT, slot TEXT, key TEXT,
    attempt INTEGER NOT NULL, max_attempts INTEGER NOT NULL,
    scheduled_at TEXT NOT NULL, started_at TEXT, finished_at TEXT NOT NULL, error TEXT, summary TEXT,
    UNIQUE (id, attempt)
);

-- which task a caller's key made; kept after the task is finished, so that a late repeat finds it
CREATE TABLE task_key (key TEXT PRIMARY KEY, task_id TEXT NOT NULL, created_at TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE handler (
    handler TEXT PRIMARY KEY, last_state TEXT NOT NULL, last_finished_at TEXT NOT NULL, last_success_at TEXT,
    last_error TEXT, failure_streak INTEGER NOT NULL, runs INTEGER NOT NULL, failures INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE schedule (
    name TEXT PRIMARY KEY, cron TEXT NOT NULL, timezone TEXT NOT NULL, last_slot TEXT NOT NULL,
    last_fired_at TEXT, next_fire_at TEXT, paused_until TEXT, pause_reason TEXT
) WITHOUT ROWID;

CREATE TABLE slot (
    schedule TEXT NOT NULL, slot TEXT NOT NULL, state TEXT NOT NULL, decided_at TEXT NOT NULL,
    task_id TEXT, reason TEXT, PRIMARY KEY (schedule, slot)
) WITHOUT ROWID;

CREATE TABLE alert (
    id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, name TEXT NOT NULL, severity TEXT NOT NULL,
    summary TEXT NOT NULL, labels TEXT NOT NULL, details TEXT NOT NULL, advice TEXT, count INTEGER NOT NULL,
    first_at TEXT NOT NULL, last_at TEXT NOT NULL, acknowledged_at TEXT, acknowledged_by TEXT,
    resolved_at TEXT
) WITHOUT ROWID;

CREATE TABLE delivery (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, channel TEXT NOT NULL,
    state TEXT NOT NULL, title TEXT NOT NULL, attempts INTEGER NOT NULL, created_at TEXT NOT NULL,
    last_tried_at TEXT, proof TEXT, error TEXT
) WITHOUT ROWID;

CREATE TABLE item (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, added_at TEXT NOT NULL,
    body TEXT NOT NULL, score REAL, selected INTEGER NOT NULL DEFAULT 0, reasons TEXT
);

-- an item is in the batch whose half-open window (after_seq, until_seq] holds its seq
CREATE TABLE batch (
    id TEXT PRIMARY KEY, task_id TEXT NOT NULL UNIQUE, date TEXT NOT NULL, generated_at TEXT NOT NULL,
    after_seq INTEGER NOT NULL, until_seq INTEGER NOT NULL, docs_processed INTEGER NOT NULL,
    queue_total INTEGER NOT NULL, marked_for_draft INTEGER NOT NULL, delivery_id TEXT, sent_at TEXT
) WITHOUT ROWID;
"""

UNTOLD = "it was over before alerts were sent"

# What leads from the version before to each version; a database is brought forward step by step.
STEPS = {
    2: f"""
CREATE TABLE silence (
    id TEXT PRIMARY KEY, match TEXT NOT NULL, owner TEXT NOT NULL, reason TEXT NOT NULL,
    created_at TEXT NOT NULL, ends_at TEXT NOT NULL, ended_by TEXT
) WITHOUT ROWID;

CREATE TABLE telling (
    id TEXT PRIMARY KEY, alert_id TEXT NOT NULL, receiver TEXT NOT NULL, incident TEXT, severity TEXT,
    count INTEGER NOT NULL, noticed_at TEXT, told_at TEXT, escalated_at TEXT, over_at TEXT, muted TEXT
) WITHOUT ROWID;

CREATE TABLE notice (
    id TEXT PRIMARY KEY, receiver TEXT NOT NULL, incident TEXT NOT NULL, kind TEXT NOT NULL,
    title TEXT NOT NULL, message TEXT NOT NULL, alerts TEXT NOT NULL, state TEXT NOT NULL,
    since TEXT NOT NULL, created_at TEXT NOT NULL, next_try_at TEXT NOT NULL, attempts INTEGER NOT NULL,
    skip INTEGER NOT NULL, delivered_at TEXT, channel TEXT, error TEXT
) WITHOUT ROWID;

-- nobody was told of what is over already, and nobody is to be told of it now
INSERT INTO telling SELECT id || '@', id, '', NULL, NULL, count, NULL, NULL, NULL, NULL,
    '{UNTOLD}' FROM alert WHERE resolved_at IS NOT NULL;
""",  # noqa: S608 - the line above, never data
}
SCHEMA_VERSION = max(STEPS)
TABLES = FIRST + "".join(STEPS.values())

CREATE TABLE company (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, timezone TEXT NOT NULL, recipients TEXT NOT NULL, channel TEXT,
    deadline TEXT, weekdays TEXT, weekday_bits INTEGER NOT NULL, active INTEGER NOT NULL, paused_until TEXT,
    pause_reason TEXT, joined_on TEXT NOT NULL, left_on TEXT, fingerprint TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE staged_company (
    import_id TEXT NOT NULL, id TEXT NOT NULL, staged_at TEXT NOT NULL, name TEXT NOT NULL,
    timezone TEXT NOT NULL, recipients TEXT NOT NULL, channel TEXT, deadline TEXT, weekdays TEXT,
    weekday_bits INTEGER NOT NULL, active INTEGER NOT NULL, fingerprint TEXT NOT NULL,
    PRIMARY KEY (import_id, id)
) WITHOUT ROWID;

CREATE TABLE roster (
    version INTEGER PRIMARY KEY, imported_at TEXT NOT NULL, source TEXT NOT NULL, added INTEGER NOT NULL,
    changed INTEGER NOT NULL, departed INTEGER NOT NULL, total INTEGER NOT NULL
);

-- ready_at: from when on it may be claimed (its due time, its retry, or the end of its lease); null once final
CREATE TABLE obligation (
    date TEXT NOT NULL, company_id TEXT NOT NULL, status TEXT NOT NULL, due_at TEXT NOT NULL,
    deadline_at TEXT NOT NULL, attempts INTEGER NOT NULL, lease_owner TEXT, lease_expires_at TEXT,
    epoch INTEGER NOT NULL, retry_at TEXT, rung TEXT, stable_id TEXT, planned_at TEXT, leased_at TEXT,
    produced_at TEXT, sent_at TEXT, delivered_at TEXT, channel TEXT, proof TEXT, error TEXT, reason TEXT,
    plan_id TEXT, roster_version INTEGER, first_attempt_ok INTEGER, ready_at TEXT,
    PRIMARY KEY (date, company_id)
) WITHOUT ROWID;
CREATE INDEX obligation_open ON obligation (deadline_at, company_id) WHERE ready_at IS NOT NULL;
CREATE INDEX obligation_delivered ON obligation (delivered_at) WHERE delivered_at IS NOT NULL;
CREATE INDEX obligation_of_company ON obligation (company_id, date);

CREATE TABLE send (
    date TEXT NOT NULL, company_id TEXT NOT NULL, stable_id TEXT NOT NULL, channel TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL, epoch INTEGER NOT NULL, intended_at TEXT NOT NULL,
    ended_at TEXT, proof TEXT, error TEXT, PRIMARY KEY (date, company_id, stable_id, channel)
) WITHOUT ROWID;

CREATE TABLE event (
    date TEXT NOT NULL, company_id TEXT NOT NULL, at TEXT NOT NULL, event TEXT NOT NULL, detail TEXT
);
CREATE INDEX event_of_obligation ON event (date, company_id);

CREATE TABLE plan (
    id TEXT PRIMARY KEY, reason TEXT NOT NULL, owner TEXT NOT NULL, dates TEXT NOT NULL, scope TEXT,
    counts TEXT NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL, starts_at TEXT NOT NULL,
    delay_s REAL NOT NULL, force_of TEXT, key TEXT NOT NULL, ended_at TEXT, identity TEXT NOT NULL UNIQUE
) WITHOUT ROWID;

CREATE TABLE certificate (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, date TEXT NOT NULL, written_at TEXT NOT NULL,
    roster_version INTEGER, counts TEXT NOT NULL, rows_hash TEXT NOT NULL, previous_hash TEXT,
    hash TEXT NOT NULL UNIQUE, body TEXT NOT NULL
);
CREATE INDEX certificate_of_date ON certificate (date, seq);

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    subject TEXT NOT NULL, reason TEXT, detail TEXT NOT NULL
);

CREATE TABLE leader (
    name TEXT PRIMARY KEY, owner TEXT NOT NULL, epoch INTEGER NOT NULL, expires_at TEXT NOT NULL
) WITHOUT ROWID;

-- kept by the writer itself: how many commits there were
CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE probe (id INTEGER PRIMARY KEY, at TEXT NOT NULL);

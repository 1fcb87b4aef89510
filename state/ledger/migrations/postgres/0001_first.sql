CREATE TABLE company (
    id text COLLATE "C" PRIMARY KEY, name text NOT NULL, timezone text NOT NULL, recipients jsonb NOT NULL,
    channel text,
    deadline text, weekdays jsonb, weekday_bits integer NOT NULL, active boolean NOT NULL, paused_until date,
    pause_reason text, joined_on date NOT NULL, left_on date, fingerprint text NOT NULL
);

CREATE TABLE staged_company (
    import_id text NOT NULL, id text COLLATE "C" NOT NULL, staged_at timestamptz NOT NULL, name text NOT NULL,
    timezone text NOT NULL, recipients jsonb NOT NULL, channel text, deadline text, weekdays jsonb,
    weekday_bits integer NOT NULL, active boolean NOT NULL, fingerprint text NOT NULL,
    PRIMARY KEY (import_id, id)
);

CREATE TABLE roster (
    version integer PRIMARY KEY, imported_at timestamptz NOT NULL, source text NOT NULL,
    added integer NOT NULL,
    changed integer NOT NULL, departed integer NOT NULL, total integer NOT NULL
);

-- ready_at: from when on it may be claimed (its due time, its retry, or the end of its lease); null once final
CREATE TABLE obligation (
    date date NOT NULL, company_id text COLLATE "C" NOT NULL, status text NOT NULL,
    due_at timestamptz NOT NULL,
    deadline_at timestamptz NOT NULL, attempts integer NOT NULL, lease_owner text,
    lease_expires_at timestamptz,
    epoch integer NOT NULL, retry_at timestamptz, rung text, stable_id text, planned_at timestamptz,
    leased_at timestamptz,
    produced_at timestamptz, sent_at timestamptz, delivered_at timestamptz, channel text, proof text,
    error text, reason text,
    plan_id text, roster_version integer, first_attempt_ok boolean, ready_at timestamptz,
    PRIMARY KEY (date, company_id)
);
CREATE INDEX obligation_open ON obligation (deadline_at, company_id) WHERE ready_at IS NOT NULL;
CREATE INDEX obligation_delivered ON obligation (delivered_at) WHERE delivered_at IS NOT NULL;
CREATE INDEX obligation_of_company ON obligation (company_id, date);

CREATE TABLE send (
    date date NOT NULL, company_id text COLLATE "C" NOT NULL, stable_id text NOT NULL, channel text NOT NULL,
    state text NOT NULL, attempts integer NOT NULL, epoch integer NOT NULL, intended_at timestamptz NOT NULL,
    ended_at timestamptz, proof text, error text, PRIMARY KEY (date, company_id, stable_id, channel)
);

CREATE TABLE event (
    date date NOT NULL, company_id text COLLATE "C" NOT NULL, at timestamptz NOT NULL, event text NOT NULL,
    detail text
);
CREATE INDEX event_of_obligation ON event (date, company_id);

CREATE TABLE plan (
    id text PRIMARY KEY, reason text NOT NULL, owner text NOT NULL, dates jsonb NOT NULL, scope jsonb,
    counts jsonb NOT NULL, state text NOT NULL, created_at timestamptz NOT NULL,
    starts_at timestamptz NOT NULL,
    delay_s double precision NOT NULL, force_of text, key text NOT NULL, ended_at timestamptz,
    identity text NOT NULL UNIQUE
);

CREATE TABLE certificate (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, date date NOT NULL, written_at timestamptz NOT NULL,
    roster_version integer, counts jsonb NOT NULL, rows_hash text NOT NULL, previous_hash text,
    hash text NOT NULL UNIQUE, body text NOT NULL
);
CREATE INDEX certificate_of_date ON certificate (date, seq);

CREATE TABLE audit (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL, reason text, detail jsonb NOT NULL
);

CREATE TABLE leader (
    name text PRIMARY KEY, owner text NOT NULL, epoch integer NOT NULL, expires_at timestamptz NOT NULL
);

CREATE TABLE probe (id integer PRIMARY KEY, at timestamptz NOT NULL);

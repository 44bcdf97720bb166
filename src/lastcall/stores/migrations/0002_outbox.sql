-- Rows that are read whole at start and searched in memory alone are one JSON text, `body`.
-- Secrets in it are sealed.

ALTER TABLE sessions ADD COLUMN impersonator TEXT;

CREATE TABLE clients (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- What a subject is called at a client, where no rule tells.
CREATE TABLE account_names (
    tenant  TEXT NOT NULL,
    client  TEXT NOT NULL,
    subject TEXT NOT NULL,
    account TEXT NOT NULL,
    PRIMARY KEY (tenant, client, subject)
) STRICT, WITHOUT ROWID;

-- One client owed one notice. Those of one logout lie side by side.
CREATE TABLE deliveries (
    tenant        TEXT NOT NULL,
    receipt       TEXT NOT NULL,
    id            TEXT NOT NULL,
    client        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    account       TEXT NOT NULL,
    sid           TEXT NOT NULL,
    session       TEXT,
    created       INTEGER NOT NULL,
    state         TEXT NOT NULL,
    attempts      INTEGER NOT NULL,
    next_at       INTEGER,
    claimed_until INTEGER NOT NULL,
    unknown       INTEGER NOT NULL,
    settled_at    INTEGER,
    last_status   INTEGER NOT NULL,
    last_error    TEXT NOT NULL,
    until         INTEGER,
    PRIMARY KEY (tenant, receipt, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    tenant      TEXT NOT NULL,
    delivery    TEXT NOT NULL,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    took        INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    status      INTEGER NOT NULL,
    received    INTEGER NOT NULL,
    error       TEXT NOT NULL,
    jti         TEXT NOT NULL,
    dead        INTEGER,
    retry_after INTEGER NOT NULL,
    PRIMARY KEY (tenant, delivery, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE previews (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE plans (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- What requests with an idempotency key came to; keys and bodies by their digests.
CREATE TABLE remembered (
    tenant TEXT NOT NULL,
    key    TEXT NOT NULL,
    body   TEXT NOT NULL,
    result TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

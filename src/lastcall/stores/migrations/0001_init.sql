-- Instants are milliseconds since 1970-01-01T00:00:00Z; lists and mappings are JSON text.
-- Rows that come and go are keyed by rising numbers, so that new ones are written side by side.

-- How many commits there have been, and the latest instant any of them tells of.
CREATE TABLE head (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    batch  INTEGER NOT NULL,
    latest INTEGER NOT NULL
) STRICT;
INSERT INTO head (id, batch, latest) VALUES (1, 0, 0);

-- The highest serial handed out; it outlives the rows that carry serials.
CREATE TABLE tenants (
    tenant TEXT PRIMARY KEY,
    serial INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE subjects (
    tenant        TEXT NOT NULL,
    id            TEXT NOT NULL,
    username      TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    changed       INTEGER NOT NULL,
    email         TEXT NOT NULL,
    name          TEXT NOT NULL,
    first_name    TEXT NOT NULL,
    last_name     TEXT NOT NULL,
    groups        TEXT NOT NULL,
    profile       TEXT NOT NULL,
    totp_secret   TEXT NOT NULL,
    totp_step     INTEGER NOT NULL,
    email_codes   INTEGER NOT NULL,
    backup_codes  TEXT NOT NULL,
    enabled       INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- Tokens are here as their SHA-256 only. `spent` is a run of such hashes, 32 bytes each.
CREATE TABLE sessions (
    tenant        TEXT NOT NULL,
    serial        INTEGER NOT NULL,
    id            TEXT NOT NULL,
    subject       TEXT NOT NULL,
    token_hash    BLOB NOT NULL,
    dialect       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    address       TEXT NOT NULL,
    port          INTEGER NOT NULL,
    host          TEXT NOT NULL,
    user_agent    TEXT NOT NULL,
    device        TEXT NOT NULL,
    factors       TEXT NOT NULL,
    created       INTEGER NOT NULL,
    last_seen     INTEGER NOT NULL,
    idle          INTEGER,
    expires       INTEGER NOT NULL,
    token_expires INTEGER,
    refresh_hash  BLOB,
    spent         BLOB NOT NULL,
    participants  TEXT NOT NULL,
    ended_at      INTEGER,
    ended_why     TEXT,
    ended_by      TEXT,
    PRIMARY KEY (tenant, serial)
) STRICT, WITHOUT ROWID;

CREATE TABLE revocations (
    tenant   TEXT NOT NULL,
    serial   INTEGER NOT NULL,
    id       TEXT NOT NULL,
    scope    TEXT NOT NULL,
    at       INTEGER NOT NULL,
    why      TEXT NOT NULL,
    by       TEXT,
    by_name  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    via      TEXT NOT NULL,
    ended    INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    PRIMARY KEY (tenant, serial)
) STRICT, WITHOUT ROWID;

CREATE TABLE strikes (
    tenant       TEXT NOT NULL,
    key          TEXT NOT NULL,
    count        INTEGER NOT NULL,
    since        INTEGER NOT NULL,
    locked_until INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE codes (
    tenant     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    mac        TEXT NOT NULL,
    expires    INTEGER NOT NULL,
    tries_left INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject, purpose)
) STRICT, WITHOUT ROWID;

-- Each digest covers the row and the digest before it; the first one covers 32 zero bytes.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY,
    tenant     TEXT NOT NULL,
    at         INTEGER NOT NULL,
    action     TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    actor      TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    target     TEXT NOT NULL,
    code       TEXT NOT NULL,
    detail     TEXT NOT NULL,
    dialect    TEXT NOT NULL,
    address    TEXT NOT NULL,
    port       INTEGER NOT NULL,
    host       TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    request_id TEXT NOT NULL,
    digest     BLOB NOT NULL
) STRICT;
CREATE INDEX audit_of_tenant ON audit (tenant, seq);

-- What the same device and wire send along with every login is kept once.
CREATE TABLE agents (
    id         INTEGER PRIMARY KEY,
    host       TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    device     TEXT NOT NULL
) STRICT;
INSERT INTO agents (host, user_agent, device)
SELECT DISTINCT host, user_agent, device FROM sessions;
CREATE INDEX agents_by_text ON agents (host, user_agent, device);

CREATE TABLE narrow_sessions (
    tenant        TEXT NOT NULL,
    serial        INTEGER NOT NULL,
    id            TEXT NOT NULL,
    subject       TEXT NOT NULL,
    token_hash    BLOB NOT NULL,
    agent         INTEGER NOT NULL,
    dialect       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    address       TEXT NOT NULL,
    port          INTEGER NOT NULL,
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
    impersonator  TEXT,
    PRIMARY KEY (tenant, serial)
) STRICT, WITHOUT ROWID;
INSERT INTO narrow_sessions
SELECT
    tenant, serial, s.id, subject, token_hash, a.id, dialect, kind, address, port, factors, created,
    last_seen, idle, expires, token_expires, refresh_hash, spent, participants, ended_at, ended_why,
    ended_by, impersonator
FROM sessions AS s JOIN agents AS a USING (host, user_agent, device)
ORDER BY tenant, serial;
DROP INDEX agents_by_text;
DROP TABLE sessions;
ALTER TABLE narrow_sessions RENAME TO sessions;

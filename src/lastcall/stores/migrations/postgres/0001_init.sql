-- readable by: 1
-- Instants are milliseconds since 1970-01-01T00:00:00Z; lists and mappings are JSON text, never
-- searched here. Every node holds all rows in memory and decides there; these tables are the
-- record. What belongs to a tenant is parted by it, so that a sharding PostgreSQL can spread it.

-- One row. Whoever holds its lock has the turn: nobody else writes, and `seq` numbers the change.
CREATE TABLE feed_head (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    epoch  text NOT NULL,
    seq    bigint NOT NULL,
    latest bigint NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- Every epoch there has been: a new one begins when an operator accepts a restored database.
CREATE TABLE epochs (
    epoch text PRIMARY KEY,
    began timestamptz NOT NULL DEFAULT now()
);

-- What each commit changed, without gaps; `changes` is what another node does to follow it.
CREATE TABLE feed (
    seq      bigint PRIMARY KEY,
    batch    text NOT NULL,
    node     text NOT NULL,
    at       bigint NOT NULL,
    changes  bytea NOT NULL
);

-- The nodes, how far each has come, and until when it may answer from memory.
CREATE TABLE followers (
    node        text PRIMARY KEY,
    instance    text NOT NULL,
    rank        bigint GENERATED ALWAYS AS IDENTITY,
    applied     bigint NOT NULL,
    lease_until timestamptz NOT NULL,
    version     integer NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- What all nodes must have the same, such as the digest of the key that secrets are sealed with.
CREATE TABLE shared (
    name  text PRIMARY KEY,
    value text NOT NULL
);

-- The highest serial handed out; it outlives the rows that carry serials.
CREATE TABLE tenants (
    tenant text NOT NULL,
    serial bigint NOT NULL,
    PRIMARY KEY (tenant)
) PARTITION BY HASH (tenant);

CREATE TABLE subjects (
    tenant        text NOT NULL,
    id            text NOT NULL,
    username      text NOT NULL,
    password_hash text NOT NULL,
    role          text NOT NULL,
    version       bigint NOT NULL,
    created       bigint NOT NULL,
    changed       bigint NOT NULL,
    email         text NOT NULL,
    name          text NOT NULL,
    first_name    text NOT NULL,
    last_name     text NOT NULL,
    groups        text NOT NULL,
    profile       text NOT NULL,
    totp_secret   text NOT NULL,
    totp_step     bigint NOT NULL,
    email_codes   boolean NOT NULL,
    backup_codes  text NOT NULL,
    enabled       boolean NOT NULL,
    PRIMARY KEY (tenant, id)
) PARTITION BY HASH (tenant);

-- Tokens are here as their SHA-256 only. `spent` is a run of such hashes, 32 bytes each.
CREATE TABLE sessions (
    tenant        text NOT NULL,
    serial        bigint NOT NULL,
    id            text NOT NULL,
    subject       text NOT NULL,
    token_hash    bytea NOT NULL,
    dialect       text NOT NULL,
    kind          text NOT NULL,
    address       text NOT NULL,
    port          bigint NOT NULL,
    host          text NOT NULL,
    user_agent    text NOT NULL,
    device        text NOT NULL,
    factors       text NOT NULL,
    created       bigint NOT NULL,
    last_seen     bigint NOT NULL,
    idle          bigint,
    expires       bigint NOT NULL,
    token_expires bigint,
    refresh_hash  bytea,
    spent         bytea NOT NULL,
    participants  text NOT NULL,
    impersonator  text,
    ended_at      bigint,
    ended_why     text,
    ended_by      text,
    PRIMARY KEY (tenant, serial)
) PARTITION BY HASH (tenant);

CREATE TABLE revocations (
    tenant   text NOT NULL,
    serial   bigint NOT NULL,
    id       text NOT NULL,
    scope    text NOT NULL,
    at       bigint NOT NULL,
    why      text NOT NULL,
    by       text,
    by_name  text NOT NULL,
    reason   text NOT NULL,
    via      text NOT NULL,
    ended    bigint NOT NULL,
    complete boolean NOT NULL,
    PRIMARY KEY (tenant, serial)
) PARTITION BY HASH (tenant);

CREATE TABLE strikes (
    tenant       text NOT NULL,
    key          text NOT NULL,
    count        bigint NOT NULL,
    since        bigint NOT NULL,
    locked_until bigint NOT NULL,
    PRIMARY KEY (tenant, key)
) PARTITION BY HASH (tenant);

CREATE TABLE codes (
    tenant     text NOT NULL,
    subject    text NOT NULL,
    purpose    text NOT NULL,
    mac        text NOT NULL,
    expires    bigint NOT NULL,
    tries_left bigint NOT NULL,
    PRIMARY KEY (tenant, subject, purpose)
) PARTITION BY HASH (tenant);

-- Rows that are searched in memory alone are one JSON text, `body`. Secrets in it are sealed.
CREATE TABLE clients (
    tenant text NOT NULL,
    id     text NOT NULL,
    body   text NOT NULL,
    PRIMARY KEY (tenant, id)
) PARTITION BY HASH (tenant);

-- What a subject is called at a client, where no rule tells.
CREATE TABLE account_names (
    tenant  text NOT NULL,
    client  text NOT NULL,
    subject text NOT NULL,
    account text NOT NULL,
    PRIMARY KEY (tenant, client, subject)
) PARTITION BY HASH (tenant);

-- One client owed one notice.
CREATE TABLE deliveries (
    tenant        text NOT NULL,
    receipt       text NOT NULL,
    id            text NOT NULL,
    client        text NOT NULL,
    subject       text NOT NULL,
    account       text NOT NULL,
    sid           text NOT NULL,
    session       text,
    created       bigint NOT NULL,
    state         text NOT NULL,
    attempts      bigint NOT NULL,
    next_at       bigint,
    claimed_until bigint NOT NULL,
    unknown       boolean NOT NULL,
    settled_at    bigint,
    last_status   bigint NOT NULL,
    last_error    text NOT NULL,
    until         bigint,
    PRIMARY KEY (tenant, receipt, id)
) PARTITION BY HASH (tenant);

CREATE TABLE attempts (
    tenant      text NOT NULL,
    delivery    text NOT NULL,
    number      bigint NOT NULL,
    at          bigint NOT NULL,
    took        bigint NOT NULL,
    outcome     text NOT NULL,
    status      bigint NOT NULL,
    received    bigint NOT NULL,
    error       text NOT NULL,
    jti         text NOT NULL,
    dead        boolean,
    retry_after bigint NOT NULL,
    PRIMARY KEY (tenant, delivery, number)
) PARTITION BY HASH (tenant);

CREATE TABLE previews (
    tenant text NOT NULL,
    id     text NOT NULL,
    body   text NOT NULL,
    PRIMARY KEY (tenant, id)
) PARTITION BY HASH (tenant);

CREATE TABLE plans (
    tenant text NOT NULL,
    id     text NOT NULL,
    body   text NOT NULL,
    PRIMARY KEY (tenant, id)
) PARTITION BY HASH (tenant);

-- What requests with an idempotency key came to; keys and bodies by their digests.
CREATE TABLE remembered (
    tenant text NOT NULL,
    key    text NOT NULL,
    body   text NOT NULL,
    result text NOT NULL,
    at     bigint NOT NULL,
    PRIMARY KEY (tenant, key)
) PARTITION BY HASH (tenant);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'tenants', 'subjects', 'sessions', 'revocations', 'strikes', 'codes', 'clients',
        'account_names', 'deliveries', 'attempts', 'previews', 'plans', 'remembered'
    ] LOOP
        FOR part IN 0..7 LOOP
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 8, REMAINDER %s)',
                name || '_' || part, name, part
            );
        END LOOP;
    END LOOP;
END
$$;

-- One chain for all tenants. Each digest covers the row and the digest before it; the first one
-- covers 32 zero bytes. `receipt` is the logout a record tells of, if any.
CREATE TABLE audit (
    tenant     text NOT NULL,
    seq        bigint PRIMARY KEY,
    at         bigint NOT NULL,
    action     text NOT NULL,
    outcome    text NOT NULL,
    actor      text NOT NULL,
    actor_name text NOT NULL,
    target     text NOT NULL,
    code       text NOT NULL,
    detail     text NOT NULL,
    receipt    text,
    dialect    text NOT NULL,
    address    text NOT NULL,
    port       bigint NOT NULL,
    host       text NOT NULL,
    user_agent text NOT NULL,
    request_id text NOT NULL,
    digest     bytea NOT NULL
);
CREATE INDEX audit_of_tenant ON audit (tenant, seq);
CREATE INDEX audit_of_receipt ON audit (tenant, receipt, seq) WHERE receipt IS NOT NULL;

INSERT INTO epochs (epoch) VALUES (gen_random_uuid()::text);
INSERT INTO feed_head (epoch, seq, latest) SELECT epoch, 0, 0 FROM epochs;

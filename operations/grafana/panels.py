"""The panels of the dashboard: what is shown, of which figures, and how to read it."""

from collections.abc import Sequence

from operations.grafana.queries import (
    SINCE,
    WHERE,
    Panel,
    gauge,
    quantile,
    quantiles,
    rate,
    ratio,
    stat,
)

NOW = [
    stat(
        "Nodes ready",
        "Servers that welcome requests, of those that are asked for figures.",
        f"sum({gauge('lastcall_ready')})",
        steps=((None, "red"), (1, "green")),
    ),
    stat(
        "Record",
        "What the record is kept in, and when a logout is acknowledged.",
        f"count by (backend, mode) ({gauge('lastcall_store_info')})",
        "{{backend}}, {{mode}}",
        text="name",
        steps=((None, "blue"),),
    ),
    stat(
        "Live sessions",
        "Sessions that have not been ended. Every node knows all of them.",
        f"max({gauge('lastcall_sessions_live')})",
        steps=((None, "blue"),),
    ),
    stat(
        "Checks",
        "Tokens looked up in a second, on all nodes.",
        rate("lastcall_checks_total"),
        unit="ops",
        steps=((None, "blue"),),
    ),
    stat(
        "Out everywhere, p99",
        "From a logout until the last application was told, in the last hour.",
        "histogram_quantile(0.99, sum by (le) "
        f"(increase(lastcall_logged_out_everywhere_seconds_bucket{{{WHERE}}}[1h])))",
        unit="s",
        steps=((None, "green"), (10, "orange"), (60, "red")),
    ),
    stat(
        "Oldest notice due",
        "How long the oldest notice that could be sent now has been waiting.",
        f"max({gauge('lastcall_outbox_overdue_seconds')})",
        unit="s",
        steps=((None, "green"), (10, "orange"), (60, "red")),
    ),
]

LOGOUTS = [
    Panel(
        title="Time of a logout",
        about="Requests that ended sessions, until they were answered: durable, and in strict "
        "mode on every node.",
        targets=quantiles("lastcall_logout_seconds", "dialect"),
        unit="s",
        log=True,
    ),
    Panel(
        title="Time until everyone is out",
        about="From a logout until the last of its notices was settled. `not_everyone`: an "
        "application refused, could not be told or was given up.",
        targets=quantiles("lastcall_logged_out_everywhere_seconds", "outcome"),
        unit="s",
        log=True,
    ),
    Panel(
        title="Time until every node refuses",
        about="From the commit of a logout until every node had applied it, or its lease had run "
        "out. Only with several nodes.",
        targets=quantiles("lastcall_nodes_applied_seconds"),
        unit="s",
        log=True,
    ),
    Panel(
        title="Logouts",
        about="Logouts on record, by what became of the request.",
        targets=[
            (rate("lastcall_audit_events_total", "outcome", 'action="logout"'), "{{outcome}}")
        ],
        unit="ops",
    ),
    Panel(
        title="Time until an application obeyed",
        about="p99 by the connector and by how sure we are: its own word, or a probe.",
        targets=[
            (
                quantile(0.99, "lastcall_logged_out_seconds", "connector,state"),
                "{{connector}} {{state}}",
            )
        ],
        unit="s",
        log=True,
    ),
    Panel(
        title="Sessions ended behind mass logouts",
        about="Work of the sweep. What it has not reached yet is refused all the same.",
        targets=[
            (
                rate("lastcall_audit_events_total", "action", 'action=~"sweep|expire|prune"'),
                "{{action}}",
            )
        ],
        unit="ops",
    ),
]

CHECKS = [
    Panel(
        title="Checks",
        about="Tokens looked up, by what was found. `failed`: the store did not answer, and the "
        "check was refused.",
        targets=[(rate("lastcall_checks_total", "outcome"), "{{outcome}}")],
        unit="ops",
        stacked=True,
    ),
    Panel(
        title="Time of a check",
        about="Inside the server, from the request's head to its answer.",
        targets=[
            *quantiles("lastcall_check_seconds"),
            (quantile(0.999, "lastcall_check_seconds"), "p99.9"),
        ],
        unit="s",
        log=True,
    ),
    Panel(
        title="Times of checks",
        about="How many took how long.",
        targets=[(rate("lastcall_check_seconds_bucket", "le"), "{{le}}")],
        unit="s",
        kind="heatmap",
    ),
    Panel(
        title="Requests",
        about="All requests by interface.",
        targets=[(rate("lastcall_requests_total", "dialect"), "{{dialect}}")],
        unit="reqps",
        stacked=True,
    ),
    Panel(
        title="Slowest routes",
        about="p99 of the ten slowest.",
        targets=[
            (
                f"topk(10, {quantile(0.99, 'lastcall_request_seconds', 'dialect,route')})",
                "{{dialect}} {{route}}",
            )
        ],
        unit="s",
        log=True,
    ),
    Panel(
        title="Failures",
        about="Requests answered with a 5xx: by this server, not by an application.",
        targets=[
            (
                rate("lastcall_requests_total", "dialect,status", 'status=~"5.."'),
                "{{dialect}} {{status}}",
            )
        ],
        unit="reqps",
    ),
]

APPLICATIONS = [
    Panel(
        title="Notices by state",
        about="All that are kept. Queued and sent ones are still tried; refused, unreachable and "
        "cannot-be-told ones have ended badly.",
        targets=[(f"max by (state) ({gauge('lastcall_outbox')})", "{{state}}")],
    ),
    Panel(
        title="Tries",
        about="Tries to tell applications, by what came of them.",
        targets=[
            (
                rate("lastcall_deliveries_total", "connector,outcome"),
                "{{connector}} {{outcome}}",
            )
        ],
        unit="ops",
    ),
    Panel(
        title="Oldest notice due",
        about="Grows while an application is left alone after failures, or when the worker does "
        "not keep up.",
        targets=[(gauge("lastcall_outbox_overdue_seconds"), "{{instance}}")],
        unit="s",
    ),
]

STORE = [
    Panel(
        title="Transactions in one commit",
        about="Group commit: the busier, the more share one wait for the disk.",
        targets=[
            *quantiles("lastcall_commit_transactions"),
            (
                ratio("lastcall_commit_transactions_sum", "lastcall_commit_transactions_count"),
                "mean",
            ),
        ],
    ),
    Panel(
        title="Time of a commit",
        about="And the part of it that waits for durability: fsync, or the answer to COMMIT.",
        targets=[
            (quantile(0.5, "lastcall_commit_seconds"), "commit p50"),
            (quantile(0.99, "lastcall_commit_seconds"), "commit p99"),
            (quantile(0.5, "lastcall_commit_sync_seconds"), "durable p50"),
            (quantile(0.99, "lastcall_commit_sync_seconds"), "durable p99"),
        ],
        unit="s",
        log=True,
    ),
    Panel(
        title="Commits",
        about="Commits and the transactions they carried, in a second.",
        targets=[
            (rate("lastcall_commit_seconds_count"), "commits"),
            (rate("lastcall_commit_transactions_sum"), "transactions"),
        ],
        unit="ops",
    ),
    Panel(
        title="In memory",
        about="What every node holds.",
        targets=[
            (f"max({gauge('lastcall_sessions_live')})", "live sessions"),
            (f"max({gauge('lastcall_sessions_ended')})", "ended sessions"),
            (f"max({gauge('lastcall_subjects')})", "accounts"),
        ],
    ),
    Panel(
        title="Memory",
        about="The estimate for sessions and accounts, and the whole process.",
        targets=[
            (gauge("lastcall_index_bytes"), "{{instance}} index"),
            (gauge("process_resident_memory_bytes"), "{{instance}} process"),
        ],
        unit="bytes",
    ),
    Panel(
        title="Disk",
        about="What is left where the store is, and the database itself.",
        targets=[
            (gauge("lastcall_disk_free_bytes"), "{{instance}} free"),
            (gauge("lastcall_disk_bytes"), "{{instance}} disk"),
            (gauge("lastcall_store_file_bytes"), "{{instance}} database"),
        ],
        unit="bytes",
        log=True,
    ),
]

NODES = [
    Panel(
        title="Lease",
        about="How long each node may go on answering from memory. At 0 it asks the store first, "
        "and refuses when that does not answer.",
        targets=[(gauge("lastcall_lease_seconds"), "{{instance}}")],
        unit="s",
        steps=((None, "red"), (0, "green")),
    ),
    Panel(
        title="Age of changes when applied",
        about="How old other nodes' changes were when this one applied them.",
        targets=quantiles("lastcall_feed_lag_seconds", "instance"),
        unit="s",
        log=True,
    ),
    Panel(
        title="Changes missing",
        about="Known to be in the store and not applied here yet.",
        targets=[(gauge("lastcall_feed_behind"), "{{instance}}")],
    ),
    Panel(
        title="Wait for the turn to write",
        about="One node writes at a time.",
        targets=quantiles("lastcall_turn_wait_seconds", "instance"),
        unit="s",
        log=True,
    ),
    Panel(
        title="Nodes with a lease",
        about="As each node sees them.",
        targets=[(gauge("lastcall_nodes"), "{{instance}}")],
    ),
    Panel(
        title="Followers and watchers",
        about="Open streams: guards that follow the feed, and people who watch a receipt.",
        targets=[
            (f"sum by (dialect, route) ({gauge('lastcall_streams')})", "{{dialect}} {{route}}")
        ],
    ),
]

SIGN_IN = [
    Panel(
        title="Logins",
        about="On record, by outcome.",
        targets=[(rate("lastcall_audit_events_total", "outcome", 'action="login"'), "{{outcome}}")],
        unit="ops",
    ),
    Panel(
        title="Refusals",
        about="Requests refused, by the authority's own code.",
        targets=[(rate("lastcall_refusals_total", "code"), "{{code}}")],
        unit="reqps",
        stacked=True,
    ),
    Panel(
        title="Passwords waiting",
        about="Being checked or waiting for it. A full queue answers Busy.",
        targets=[(gauge("lastcall_login_queue"), "{{instance}}")],
    ),
]

PROCESS = [
    Panel(
        title="Processor",
        about="Cores used.",
        targets=[(rate("process_cpu_seconds_total", "instance"), "{{instance}}")],
    ),
    Panel(
        title="File descriptors",
        about="Open, and how many may be.",
        targets=[
            (gauge("process_open_fds"), "{{instance}} open"),
            (gauge("process_max_fds"), "{{instance}} limit"),
        ],
        log=True,
    ),
    Panel(
        title="Starts",
        about="Time from the beginning of a process until it listened, and what reading the store "
        "took of it.",
        targets=[
            (gauge("lastcall_start_seconds"), "{{instance}} start"),
            (gauge("lastcall_start_loading_seconds"), "{{instance}} loading"),
        ],
        unit="s",
    ),
    Panel(
        title="What is running",
        about="Versions, and since when.",
        targets=[
            (
                f"{gauge('lastcall_build_info')} * on (job, instance) group_left () ({SINCE})",
                "",
            )
        ],
        unit="dateTimeFromNow",
        kind="table",
        width=24,
        height=6,
    ),
]

ROWS: Sequence[tuple[str, Sequence[Panel]]] = (
    ("Now", NOW),
    ("Logouts", LOGOUTS),
    ("Checks and requests", CHECKS),
    ("Applications", APPLICATIONS),
    ("The store", STORE),
    ("Several nodes", NODES),
    ("Signing in", SIGN_IN),
    ("Processes", PROCESS),
)

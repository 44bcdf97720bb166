"""Which dialect a request is for: by its host name, or by the longest prefix of its path."""

from collections.abc import Sequence

from lastcall.http.facts import Mount

BOUNDARY = "/:;"
"""What may follow a prefix that does not end in a slash: `/urac`, `/urac/login`, `/urac:1/...`."""


class Mounts:
    """The dialects that are switched on. One with a host of its own answers nowhere else."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        enabled = self._all = [mount for mount in mounts if mount.settings.enabled]
        self._hosts = {
            mount.settings.host.lower(): mount for mount in enabled if mount.settings.host
        }
        prefixes = [
            (prefix.lower() if mount.dialect.fold_case else prefix, mount)
            for mount in enabled
            if not mount.settings.host
            for prefix in mount.dialect.prefixes
        ]
        self._prefixes = sorted(prefixes, key=lambda pair: -len(pair[0]))
        routes = {route.path for mount in enabled for route in mount.dialect.routes}
        self._known = {path: self._of_prefix(path) for path in routes if "{" not in path}

    def all(self) -> Sequence[Mount]:
        return self._all

    def of_host(self, host_name: str) -> Mount | None:
        return self._hosts.get(host_name)

    def of_path(self, path: str) -> Mount | None:
        return self._known[path] if path in self._known else self._of_prefix(path)

    def _of_prefix(self, path: str) -> Mount | None:
        folded = path.lower()
        for prefix, mount in self._prefixes:
            asked = folded if mount.dialect.fold_case else path
            if asked.startswith(prefix) and _ends(prefix, asked):
                return mount
        return None


def _ends(prefix: str, path: str) -> bool:
    return prefix.endswith("/") or len(path) == len(prefix) or path[len(prefix)] in BOUNDARY

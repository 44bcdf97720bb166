"""Small files in the MaxMind DB format, version 2.0, written from its public description."""

from collections.abc import Mapping
from ipaddress import IPv4Network, ip_network

RECORD_SIZE = 24
SEPARATOR = bytes(16)
MARKER = b"\xab\xcd\xefMaxMind.com"
STRING, UINT16, UINT32, MAP = 2, 5, 6, 7
UINT64, ARRAY = 9, 11


def mmdb(networks: Mapping[str, object]) -> bytes:
    """An IPv6 tree with the given data at the given networks; IPv4 lies in ::/96, as it should."""
    nodes: list[list[int | None]] = [[None, None]]
    leaves: dict[tuple[int, int], int] = {}
    data = b""
    for text, value in networks.items():
        place, side = _walk(nodes, text)
        leaves[place, side] = len(data)
        data += encoded(value)
    tree = b""
    for number, node in enumerate(nodes):
        for side, below in enumerate(node):
            record = len(nodes) if below is None else below
            if (number, side) in leaves:
                record = len(nodes) + len(SEPARATOR) + leaves[number, side]
            tree += record.to_bytes(RECORD_SIZE // 8)
    about = {
        "binary_format_major_version": (UINT16, 2),
        "binary_format_minor_version": (UINT16, 0),
        "build_epoch": (UINT64, 1_700_000_000),
        "database_type": "Test-Country",
        "description": {"en": "made by a test"},
        "ip_version": (UINT16, 6),
        "languages": ["en"],
        "node_count": (UINT32, len(nodes)),
        "record_size": (UINT16, RECORD_SIZE),
    }
    return tree + SEPARATOR + data + MARKER + encoded(about)


def _walk(nodes: list[list[int | None]], text: str) -> tuple[int, int]:
    """Down to the record of a network, making the nodes on the way."""
    network = ip_network(text)
    length = network.prefixlen + (96 if isinstance(network, IPv4Network) else 0)
    bits = f"{int(network.network_address):0128b}"[:length]
    place = 0
    for bit in map(int, bits[:-1]):
        below = nodes[place][bit]
        if below is None:
            below = nodes[place][bit] = len(nodes)
            nodes.append([None, None])
        place = below
    return place, int(bits[-1])


def encoded(value: object) -> bytes:
    match value:
        case str():
            raw = value.encode()
            return _control(STRING, len(raw)) + raw
        case dict():
            pairs = (encoded(key) + encoded(one) for key, one in value.items())
            return _control(MAP, len(value)) + b"".join(pairs)
        case list():
            return _control(ARRAY, len(value)) + b"".join(map(encoded, value))
        case (int() as kind, int() as number):
            raw = number.to_bytes((number.bit_length() + 7) // 8)
            return _control(kind, len(raw)) + raw
        case _:
            raise TypeError(type(value).__name__)


def _control(kind: int, size: int) -> bytes:
    """Sizes from 29 on take a byte of their own; types above 7 do too."""
    short, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    extended = kind > MAP
    first = (0 if extended else kind) << 5 | short
    return bytes([first]) + (bytes([kind - MAP]) if extended else b"") + more

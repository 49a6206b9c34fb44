"""Writes databases in MaxMind's format, as maxmind.github.io/MaxMind-DB describes version 2.0 of it."""
import ipaddress
import time

MAP, STRING, UINT16, UINT32, UINT64, ARRAY = 7, 2, 5, 6, 9, 11
MARK = b"\xab\xcd\xefMaxMind.com"
SEPARATOR = bytes(16)  # between the search tree and the data


def control(kind, size):
    """The control byte or bytes: type, of which those above 7 have a byte of their own, and size."""
    kinds = (kind << 5, b"") if kind <= 7 else (0, bytes([kind - 7]))
    if size < 29:
        return bytes([kinds[0] | size]) + kinds[1]
    if size < 285:
        return bytes([kinds[0] | 29]) + kinds[1] + bytes([size - 29])
    return bytes([kinds[0] | 30]) + kinds[1] + (size - 285).to_bytes(2, "big")


def encoded(value, kind=UINT32):
    if isinstance(value, dict):
        return control(MAP, len(value)) + b"".join(encoded(key) + encoded(one, kind) for key, one in value.items())
    if isinstance(value, str):
        return control(STRING, len(value.encode())) + value.encode()
    if isinstance(value, bytes):  # a string that may be no UTF-8
        return control(STRING, len(value)) + value
    if isinstance(value, (list, tuple)):
        return control(ARRAY, len(value)) + b"".join(encoded(one, kind) for one in value)
    digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return control(kind, len(digits)) + digits


def tree_of(networks, version):
    """[[left, right]]: None for nothing, a node's number, or (offset,) of data."""
    nodes = [[None, None]]
    for network, offset in sorted(networks, key=lambda one: ipaddress.ip_network(one[0]).prefixlen):
        network = ipaddress.ip_network(network)
        # IPv4 lies in the first 96 zero bits of a tree of IPv6.
        bits = format(int(network.network_address), f"0{network.max_prefixlen}b")[:network.prefixlen]
        if version == 6 and network.version == 4:
            bits = "0" * 96 + bits
        node = 0
        for bit in bits[:-1]:
            below = nodes[node][int(bit)]
            if not isinstance(below, int):
                nodes.append([below, below])
                nodes[node][int(bit)] = below = len(nodes) - 1
            node = below
        nodes[node][int(bits[-1])] = (offset,)
    return nodes


def record(left, right, bits):
    if bits == 28:
        return (left & 0xffffff).to_bytes(3, "big") + bytes([(left >> 24) << 4 | right >> 24]) + (right & 0xffffff).to_bytes(3, "big")
    return left.to_bytes(bits // 8, "big") + right.to_bytes(bits // 8, "big")


def database(networks, version=6, bits=28, kind="test"):
    """The bytes of a database: {"192.0.2.0/24": {...}}. Of prefixes within each other the longest holds."""
    data, placed = b"", []
    for network, value in networks.items():
        placed.append((network, len(data)))
        data += encoded(value)
    nodes = tree_of(placed, version)

    def number(value):
        return len(nodes) if value is None else value if isinstance(value, int) else len(nodes) + len(SEPARATOR) + value[0]

    tree = b"".join(record(number(left), number(right), bits) for left, right in nodes)
    metadata = control(MAP, 9) + b"".join(
        encoded(key) + encoded(value, numbers) for key, value, numbers in [
            ("node_count", len(nodes), UINT32), ("record_size", bits, UINT16), ("ip_version", version, UINT16),
            ("database_type", kind, UINT16), ("languages", ["en"], UINT16), ("binary_format_major_version", 2, UINT16),
            ("binary_format_minor_version", 0, UINT16), ("build_epoch", int(time.time()), UINT64), ("description", {"en": "made by a test"}, UINT16)])
    return tree + SEPARATOR + data + MARK + metadata


def maxmind_city(city, country):
    return {"city": {"geoname_id": 1, "names": {"de": "anders", "en": city}}, "country": {"iso_code": country, "names": {"en": "a country"}}}

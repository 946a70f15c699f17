"""A conversation in the binary protocol through python-binary-memcached, with the daemon that the
command line names (`settings.py`)."""

import ssl

import bmemcached
from bmemcached.exceptions import MemcachedException

from settings import PASSWORD, PORT, REFUSED, USER, context, refused

SERVER = f"127.0.0.1:{PORT}"


def one(client):
    """Commands about one key."""
    assert client.get("none") is None
    assert client.set("k", "text", 100)
    assert client.get("k") == "text"
    assert not client.add("k", "other")
    assert client.replace("k", "new")
    assert not client.replace("none", "new")
    assert client.get("k") == "new"
    assert client.delete("k")
    assert client.get("k") is None
    assert client.add("k", b"\x00\r\n\xff")
    assert client.get("k") == b"\x00\r\n\xff"
    assert client.set("object", {"a": [1, 2.5, None]})
    assert client.get("object") == {"a": [1, 2.5, None]}


def swap(client):
    """Compare and swap."""
    assert client.set("swap", "1")
    value, cas = client.gets("swap")
    assert value == "1" and cas
    assert client.cas("swap", "2", cas)
    assert not client.cas("swap", "3", cas)
    assert client.get("swap") == "2"


def numbers(client):
    """Counters, which begin with what they are told to."""
    assert client.incr("n", 5, default=40) == 40
    assert client.incr("n", 2) == 42
    assert client.decr("n", 1) == 41
    assert client.decr("n", 100) == 0


def many(client):
    """Pipelines of quiet requests."""
    values = {f"many:{n}": f"value {n}" for n in range(500)}
    assert not client.set_multi(values)
    assert client.get_multi([*values, "none"]) == values
    assert client.delete_multi(list(values))
    assert client.get_multi(list(values)) == {}


def large(client):
    """Values that are sent in pieces, and one that is none of ours."""
    value = b"0123456789abcdef" * 50_000
    assert client.set("large", value, compress_level=0)
    assert client.get("large") == value
    try:
        client.set("large", value * 2, compress_level=0)
        raise AssertionError("stored")
    except MemcachedException as refusal:
        assert refusal.code == 3, refusal
    assert client.get("large") is None
    assert client.set("large", "small")


def main():
    """Says everything."""
    client = bmemcached.Client(
        (SERVER,), USER, PASSWORD, socket_timeout=20, tls_context=context()
    )
    if REFUSED:
        # A connection that cannot be made is a value that cannot be stored.
        refused(lambda: client.set("k", "v"), MemcachedException, ssl.SSLError)
        return
    client.flush_all()
    for conversation in (one, swap, numbers, many, large):
        conversation(client)
    stats = client.stats()[SERVER]
    assert int(stats["curr_items"]) >= 1 and stats["version"] == b"1.6.45", stats
    assert client.stats("settings")[SERVER]["maxbytes"] == b"%d" % (64 << 20)
    assert client.flush_all()
    assert client.get("k") is None
    client.disconnect_all()
    print("all said")


main()

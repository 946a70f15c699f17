"""A conversation in the binary protocol through pylibmc, which is libmemcached, with the daemon
that the command line names (`settings.py`)."""

import pylibmc

from settings import PASSWORD, PORT, REFUSED, USER, refused


def one(client):
    """Commands about one key."""
    assert client.get("none") is None
    assert client.set("k", "text", time=100)
    assert client.get("k") == "text"
    assert not client.add("k", "other")
    assert client.replace("k", "new")
    assert client.append("k", b"!") and client.prepend("k", b">")
    assert client.get("k") == ">new!"
    assert client.delete("k") and not client.delete("k")
    assert client.touch("k", 10) is False
    assert client.set("object", {"a": [1, 2.5, None]})
    assert client.get("object") == {"a": [1, 2.5, None]}


def swap(client):
    """Compare and swap."""
    assert client.set("swap", "1")
    value, cas = client.gets("swap")
    assert value == "1" and client.cas("swap", "2", cas)
    assert not client.cas("swap", "3", cas)


def numbers(client):
    """Counters."""
    assert client.set("n", 40)
    assert client.incr("n", 2) == 42
    assert client.decr("n", 100) == 0
    try:
        client.incr("none")
    except pylibmc.NotFound:
        pass
    else:
        raise AssertionError("counted what is not there")


def many(client):
    """Pipelines of quiet requests."""
    values = {f"many:{n}": f"value {n}" for n in range(500)}
    assert not client.set_multi(values)
    assert client.get_multi([*values, "none"]) == values
    assert client.delete_multi(list(values))
    assert client.get_multi(list(values)) == {}


def large(client):
    """Values of all sizes, and one that is too large."""
    for size in (0, 1, 10_000, 1_000_000):
        assert client.set("large", b"v" * size)
        assert client.get("large") == b"v" * size
    refused(lambda: client.set("large", b"v" * 2_000_000), pylibmc.Error)


def main():
    """Says everything, in text too where nobody has to log in."""
    behaviors = {"tcp_nodelay": True, "cas": True, "connect_timeout": 20_000}
    for binary in (True, False) if USER is None else (True,):
        login = {"username": USER, "password": PASSWORD} if USER else {}
        client = pylibmc.Client(
            [f"127.0.0.1:{PORT}"], binary=binary, behaviors=behaviors, **login
        )
        if REFUSED:
            refused(lambda: client.set("k", "v"), pylibmc.Error)
            return
        assert client.flush_all()
        for conversation in (one, swap, numbers, many, large):
            conversation(client)
        assert int(dict(client.get_stats()[0][1])["curr_items"]) >= 1
        client.disconnect_all()
    print("all said")


main()

"""A conversation of pymemcache with the daemon that the command line names (`settings.py`).

Ends with status 0 after the last assertion has held.
"""

import socket
import ssl

from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import (
    MemcacheClientError,
    MemcacheServerError,
    MemcacheUnexpectedCloseError,
)

from settings import PORT, REFUSED, context, refused

SERVER = ("127.0.0.1", PORT)
TLS = context()


def classic(client):
    """Every classic command."""
    assert client.set("key", b"value", noreply=False)
    assert client.get("key") == b"value"
    assert client.get("none") is None
    assert client.get("none", default=b"default") == b"default"
    assert client.add("key", b"other", noreply=False) is False
    assert client.add("added", b"1", noreply=False) is True
    assert client.replace("none", b"x", noreply=False) is False
    assert client.replace("key", b"2", noreply=False) is True
    assert client.append("key", b"3", noreply=False) is True
    assert client.prepend("key", b"1", noreply=False) is True
    assert client.get("key") == b"123"
    assert client.incr("key", 7) == 130
    assert client.decr("key", 31) == 99
    assert client.get("key") == b"99 "
    assert client.incr("none", 1) is None
    assert client.touch("key", 100, noreply=False) is True
    assert client.touch("none", 100, noreply=False) is False
    value, cas = client.gets("key")
    assert value == b"99 " and cas.isdigit()
    assert client.delete("key", noreply=False) is True
    assert client.delete("key", noreply=False) is False


def many(client):
    """Several keys at once."""
    values = {f"many-{n}": str(n).encode() * n for n in range(200)}
    assert client.set_many(values, noreply=False) == []
    assert client.get_many(list(values)) == values
    assert client.get_many(["none", "many-7"]) == {"many-7": b"7" * 7}
    found = client.gets_many(["many-1", "many-2", "none"])
    assert {key: pair[0] for key, pair in found.items()} == {
        "many-1": b"1",
        "many-2": b"22",
    }
    assert client.delete_many(list(values), noreply=False)
    assert client.get_many(list(values)) == {}


def swap(client):
    """Compare and swap."""
    assert client.cas("swapped", b"x", b"1", noreply=False) is None
    client.set("swapped", b"a", noreply=False)
    _, cas = client.gets("swapped")
    assert client.cas("swapped", b"b", cas, noreply=False) is True
    assert client.cas("swapped", b"c", cas, noreply=False) is False
    assert client.get("swapped") == b"b"


def quiet(client):
    """noreply, and that nothing is left over on the line."""
    for n in range(100):
        client.set("quiet", str(n).encode(), noreply=True)
    client.delete("quiet-none", noreply=True)
    client.touch("quiet", 10, noreply=True)
    client.incr("quiet", 1, noreply=True)
    assert client.get("quiet") == b"100"


def large(client):
    """Values of all sizes, and one that is too large."""
    for size in (0, 1, 100, 10_000, 500_000, 1_000_000):
        value = bytes(n % 251 for n in range(min(size, 1000))) * (size // 1000 + 1)
        value = value[:size]
        assert client.set("large", value, noreply=False)
        assert client.get("large") == value
    try:
        client.set("large", b"x" * 2_000_000, noreply=False)
    except MemcacheServerError as error:
        assert "too large" in str(error)
    else:
        raise AssertionError("2 MB were stored")
    assert client.get("large") is None


def wrong(client):
    """Mistakes that reach the server come back as errors, and the line stays in step."""
    client.set("text", b"abc", noreply=False)
    try:
        client.incr("text", 1)
    except MemcacheClientError as error:
        assert "non-numeric" in str(error)
    else:
        raise AssertionError("abc was counted up")
    assert client.get("text") == b"abc"


def raw(client):
    """Meta commands by hand, and reports."""
    assert client.raw_command("mn") == b"MN"
    assert client.raw_command("mg none v") == b"EN"
    assert client.raw_command("ms meta 3 T90\r\nabc") == b"HD"
    assert client.raw_command("mg meta t s") == b"HD t90 s3"
    assert client.version() == b"1.6.45"
    stats = client.stats()
    assert stats[b"curr_items"] >= 1 and stats[b"threads"] >= 1
    assert client.stats("settings")[b"maxbytes"] == 64 << 20
    assert client.flush_all(noreply=False)
    assert client.get("meta") is None


def main():
    """Says everything with each kind of client."""
    plain = Client(SERVER, timeout=20, no_delay=True, default_noreply=False, tls_context=TLS)
    if REFUSED:
        # A client of TLS 1.3 hears of the refusal when it reads, or by a reset.
        refusals = (ssl.SSLError, ConnectionError, MemcacheUnexpectedCloseError)
        refused(lambda: plain.version(), *refusals)
        return
    pooled = PooledClient(SERVER, timeout=20, max_pool_size=4, tls_context=TLS)
    for client in (plain, pooled):
        client.flush_all(noreply=False)
        for conversation in (classic, many, swap, quiet, large, wrong):
            conversation(client)
    raw(plain)
    classic(RetryingClient(Client(SERVER, timeout=20, tls_context=TLS), attempts=2))
    plain.flush_all(noreply=False)
    hashed = HashClient([SERVER], timeout=20, use_pooling=True, tls_context=TLS)
    hashed.set("hashed", b"1", noreply=False)
    assert hashed.get_many(["hashed"]) == {"hashed": b"1"}
    plain.quit()
    if TLS:
        print("all said")
        return
    with socket.create_connection(SERVER, timeout=20) as line:
        line.sendall(b"get a\r\nquit\r\n")
        assert line.recv(100) == b"END\r\n"
    print("all said")


main()

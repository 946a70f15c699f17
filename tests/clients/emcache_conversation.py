"""A conversation in text through emcache, which is asynchronous, with the daemon that the command
line names (`settings.py`)."""

import asyncio

import emcache

from settings import PASSWORD, PORT, REFUSED, USER, WORDS

NODE = emcache.MemcachedHostAddress("127.0.0.1", PORT)


async def one(client):
    """Commands about one key."""
    assert await client.get(b"none") is None
    await client.set(b"k", b"text", exptime=100)
    item = await client.get(b"k")
    assert item.value == b"text"
    try:
        await client.add(b"k", b"other")
    except emcache.NotStoredStorageCommandError:
        pass
    else:
        raise AssertionError("added what is there")
    await client.replace(b"k", b"new")
    await client.append(b"k", b"!")
    await client.prepend(b"k", b">")
    assert (await client.get(b"k")).value == b">new!"
    await client.touch(b"k", 10)
    await client.delete(b"k")
    assert await client.get(b"k") is None


async def swap(client):
    """Compare and swap."""
    await client.set(b"swap", b"1")
    item = await client.gets(b"swap")
    await client.cas(b"swap", b"2", item.cas)
    try:
        await client.cas(b"swap", b"3", item.cas)
    except emcache.StorageCommandError:
        pass
    else:
        raise AssertionError("swapped with an old cas")


async def numbers(client):
    """Counters."""
    await client.set(b"n", b"40")
    assert await client.increment(b"n", 2) == 42
    assert await client.decrement(b"n", 100) == 0


async def many(client):
    """Several keys, and several requests at once."""
    keys = [f"many:{n}".encode() for n in range(200)]
    await asyncio.gather(*(client.set(key, key) for key in keys))
    found = await client.get_many([*keys, b"none"])
    assert {key: item.value for key, item in found.items()} == {key: key for key in keys}


async def large(client):
    """A value that comes in pieces."""
    await client.set(b"large", b"v" * 1_000_000)
    assert (await client.get(b"large")).value == b"v" * 1_000_000


async def converse():
    """Says everything, or fails to be let in."""
    client = await emcache.create_client(
        [NODE],
        timeout=3.0 if REFUSED else 20.0,
        max_connections=4,
        username=USER,
        password=PASSWORD,
        ssl="ca" in WORDS,
        ssl_extra_ca=WORDS.get("ca"),
    )
    for conversation in (one, swap, numbers, many, large):
        await conversation(client)
    assert await client.version(NODE) == "1.6.45"
    await client.flush_all(NODE)
    assert await client.get(b"n") is None
    await client.close()
    print("all said")


async def fail():
    """Is refused. This library tries again to connect for as long as a request may take, and does
    not always notice that a connection has ended; so what tells is that nothing is answered."""
    try:
        await converse()
    except AssertionError:
        raise
    except Exception as refusal:
        print(f"refused: {refusal!r}")
        return
    raise AssertionError("let in")


asyncio.run(fail() if REFUSED else converse())

"""emcache, which asks again at an interval by itself."""

import asyncio
import threading

import emcache

import application
from application import HOST, PORT

LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()


def wait(work):
    """What comes of something that the loop does."""
    return asyncio.run_coroutine_threadsafe(work, LOOP).result(application.PATIENCE_S)


async def connect():
    """A client that follows the list."""
    seed = emcache.MemcachedHostAddress(HOST, int(PORT))
    return await emcache.create_client(
        [seed],
        autodiscovery=True,
        autodiscovery_poll_interval=0.1,
        timeout=application.PATIENCE_S,
    )


CLIENT = wait(connect())


def nodes():
    """The addresses of the nodes."""
    return [f"{it.address}:{it.port}" for it in CLIENT.cluster_managment().nodes()]


def find(key):
    """The value as text."""
    item = wait(CLIENT.get(key.encode()))
    return item and item.value.decode()


def store(key, value):
    """Stores text."""
    wait(CLIENT.set(key.encode(), value.encode()))


application.run(nodes, store, find)

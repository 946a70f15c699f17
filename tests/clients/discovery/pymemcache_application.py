"""pymemcache: its ElastiCache client asks when it is made, and again only when it is told to.

The published package may lack that client; what it consists of, a raw command and a client that
hashes, is there in any case.
"""

from contextlib import closing

from pymemcache.client.base import Client
from pymemcache.client.hash import HashClient

import application
from application import ENDPOINT, HOST, PORT

try:
    from pymemcache.client.ext.aws_ec_client import AWSElastiCacheHashClient
except ImportError:

    def discover():
        """A client of the nodes that the endpoint names."""
        with closing(Client((HOST, int(PORT)))) as asker:
            told = asker.raw_command(b"config get cluster", end_tokens=b"\n\r\nEND\r\n")
        nodes = [node.split("|") for node in told.decode().splitlines()[-1].split(" ")]
        return HashClient([(ip, int(port)) for _, ip, port in nodes])

else:

    def discover():
        """A client of the nodes that the endpoint names."""
        return AWSElastiCacheHashClient(ENDPOINT)


class Application:
    """Holds the client of the nodes that were found last."""

    client = None

    def nodes(self):
        self.client = discover()
        return list(self.client.clients)

    def store(self, key, value):
        self.client.set(key, value)

    def find(self, key):
        value = self.client.get(key)
        return value and value.decode()


one = Application()
application.run(one.nodes, one.store, one.find)

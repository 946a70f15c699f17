"""An application that finds the nodes of a cluster, told what to do by lines on its input.

`nodes COUNT`  says the nodes that its client uses, once they are so many
`store COUNT`  stores as many keys through the client
`find COUNT`   says how many of them the client finds

Each line is answered by one. The command line has the endpoint: HOST:PORT.
"""

import sys
import time

ENDPOINT = sys.argv[1]
HOST, PORT = ENDPOINT.split(":")
PATIENCE_S = 20


def key(number):
    """The same keys in every language."""
    return f"key:{number}"


def settle(count, nodes):
    """The nodes, as a line; waits until they are as many as they should be."""
    until = time.monotonic() + PATIENCE_S
    while True:
        seen = sorted(nodes())
        if len(seen) == count or time.monotonic() > until:
            return ",".join(seen)
        time.sleep(0.02)


def run(nodes, store=None, find=None):
    """Obeys until the input ends."""
    for line in sys.stdin:
        command, count = line.split()
        if command == "nodes":
            answer = settle(int(count), nodes)
        elif command == "store":
            for number in range(int(count)):
                store(key(number), f"value {number}")
            answer = "stored"
        else:
            found = sum(find(key(n)) == f"value {n}" for n in range(int(count)))
            answer = str(found)
        print(answer, flush=True)

"""elasticache-auto-discovery, which finds the nodes and does nothing else."""

import elasticache_auto_discovery

import application


def nodes():
    """Names and ports of the nodes."""
    found = elasticache_auto_discovery.discover(application.ENDPOINT)
    return [f"{name.decode()}:{port.decode()}" for name, _, port in found]


application.run(nodes)

"""What a conversation is told on its command line: a port, and words such as `user=NAME`.

`user=`, `password=`  log in so
`ca=FILE`             speak TLS, and trust this authority only
`cert=FILE`, `key=`   show this certificate
`tls=1.2`, `tls=1.3`  no other version
`refused`             it is a failure to be let in
"""

import ssl
import sys

PORT = int(sys.argv[1])
WORDS = dict(word.partition("=")[::2] for word in sys.argv[2:])
USER, PASSWORD = WORDS.get("user"), WORDS.get("password")
REFUSED = "refused" in WORDS


def context():
    """A TLS context, or None for a plain connection."""
    if "ca" not in WORDS:
        return None
    made = ssl.create_default_context(cafile=WORDS["ca"])
    if "cert" in WORDS:
        made.load_cert_chain(WORDS["cert"], WORDS["key"])
    versions = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
    if "tls" in WORDS:
        made.minimum_version = made.maximum_version = versions[WORDS["tls"]]
    return made


def refused(attempt, *errors):
    """Fails unless the attempt is refused in one of these ways, or comes to nothing."""
    try:
        said = attempt()
    except errors as refusal:
        said = None
        print(f"refused: {refusal}")
    assert not said, f"let in: {said!r}"
    print("refused")

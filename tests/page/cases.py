"""The page at `/` of the admin listener, as a browser shows it. Told on the command line:

`open=URL`    a page without a token, of a daemon that is started with `MARKUP` in a setting; it and
              the next keep every turn in the slow log
`closed=URL`  a page that wants the token
`secure=URL`  a page over TLS that wants the token, with a certificate that nobody has heard of
`token=TEXT`  that token
`port=PORT`   where the first daemon serves clients
`other=PORT`  where the second one does, to the user `USER` with the password `secret`
`keep=FILE`   keep a picture of the page there

Each case has a page of its own in one browser. The name of each that has passed is printed.
"""

import json
import socket
import sys
from urllib.parse import quote

from browser import Browser

WORDS = dict(word.partition("=")[::2] for word in sys.argv[1:])
OPEN, CLOSED, TOKEN = WORDS["open"], WORDS["closed"], WORDS["token"]
SECURE = WORDS["secure"]
PORT, OTHER = int(WORDS["port"]), int(WORDS["other"])
MARKUP = "<img src=x onerror=document.title='owned'>"
USER = MARKUP.replace(" ", "/")

TAB, ENTER, ESCAPE = ("Tab", 9), ("Enter", 13, "\r"), ("Escape", 27)
LEFT, RIGHT, DOWN = ("ArrowLeft", 37), ("ArrowRight", 39), ("ArrowDown", 40)


def daemon_says(request, end):
    """Asks the daemon something and reads until the end of the answer."""
    with socket.create_connection(("127.0.0.1", PORT), 20) as client:
        client.sendall(request)
        told = b""
        while not told.endswith(end):
            piece = client.recv(1 << 16)
            assert piece, told
            told += piece
    return told


def store(count, first=0):
    """Stores that many items."""
    requests = [b"set key:%d 0 0 5\r\nvalue\r\n" % n for n in range(first, first + count)]
    daemon_says(b"".join(requests) + b"mn\r\n", b"MN\r\n")


def texts(selector):
    """An expression for the texts of all such elements."""
    return f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)"


def is_live(page):
    page.await_true("document.getElementById('live').textContent === 'Live.'")


def without_scripts_it_is_a_page_of_tables(browser):
    with browser.page(scripts=False) as page:
        page.open(OPEN)
        assert page.text("h1").startswith("larder"), page.text("h1")
        assert page.text("#health") == "ready"
        assert page.text("[data-tile=items] b") == "3"
        rows = "document.querySelectorAll('[data-table=%s] tbody tr').length"
        assert page.eval(rows % "workers") == 2
        assert page.eval(rows % "memory") == 1
        assert page.eval(rows % "cluster") == 1
        assert page.eval(rows % "big-keys") == 3
        assert page.eval(rows % "advice") == 1
        assert page.eval(rows % "settings") > 3
        # This turn has stored what is stored.
        found = "[...document.querySelectorAll('[data-table=slow] tbody tr')].find(r => r.cells[3].textContent === 'key%3A0')"
        slow = page.eval(f"[...{found}.cells].map(c => c.textContent)")
        assert slow[0].endswith(" ago") and slow[1].endswith("s"), slow
        assert slow[2:5] == ["set", "key%3A0", "4"] and slow[7].startswith("tcp:127.0.0.1:"), slow
        assert slow[8] == "\u2013", slow
        assert "-o slow_log_us" in page.text("#slow .note"), page.text("#slow .note")
        heads = page.eval(texts("[data-table=workers] thead th"))
        assert heads[-2:] == ["Busy, 10 s", "1 min"], heads
        busy = page.eval(texts("[data-table=workers] td:nth-last-child(-n+2)"))
        assert len(busy) == 4 and all(share.endswith("%") for share in busy), busy
        assert page.eval("document.getElementById('chart').hidden")
        # What can be done with scripts only is not offered.
        assert page.eval("[...document.querySelectorAll('#tiles input')].every(i => i.disabled)")
        assert not page.complaints(), page.complaints()


def with_scripts_it_follows_the_daemon(browser):
    with browser.page() as page:
        page.open(OPEN)
        is_live(page)
        before = int(page.text("[data-tile=items] b"))
        store(40, first=100)
        page.await_true(f"document.querySelector('[data-tile=items] b').textContent == {before + 40}")
        page.await_true("document.querySelector('#plot path').getAttribute('d').includes('L')")
        assert page.text("[data-table=memory] tbody tr td:nth-child(3)") == str(before + 40)
        # A class that did not exist becomes a row.
        daemon_says(b"set large 0 0 9000\r\n" + b"x" * 9000 + b"\r\n", b"STORED\r\n")
        page.await_true("document.querySelectorAll('[data-table=memory] tbody tr').length === 2")
        assert not page.complaints(), page.complaints()


def keys_reach_everything(browser):
    with browser.page() as page:
        page.open(OPEN)
        is_live(page)
        on = "(document.activeElement.id || document.activeElement.value || document.activeElement.tagName)"
        reached = []
        for _ in range(12):
            page.press(*TAB)
            reached.append(page.eval(on))
            if reached[-1] == "requests":
                page.press(*RIGHT)
                assert page.text("#chart-title") == "Hit share", page.text("#chart-title")
                page.press(*LEFT)
            if reached[-1] == "1m":
                page.press(*RIGHT)
                page.await_true("document.querySelector('[name=span][value=\"15m\"]').checked")
                is_live(page)
            if reached[-1] == "plot":
                page.press(*LEFT)
                page.await_true("document.querySelector('#legend .time').textContent.startsWith('at ')")
                page.press(*ESCAPE)
                assert not page.eval("document.querySelector('#legend .time')")
            if reached[-1] == "SUMMARY":
                page.press(*ENTER)
                page.await_true("document.querySelector('details').open")
                break
        for wanted in ("A", "requests", "1m", "plot", "SUMMARY"):
            assert wanted in reached, reached
        visible = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.eval(visible) != "none", "who is reached is seen to be"
        assert not page.complaints(), page.complaints()


def a_phone_scrolls_in_one_direction(browser):
    for width in (320, 375, 768):
        with browser.page(width=width, height=700) as page:
            page.open(OPEN)
            is_live(page)
            page.eval("document.querySelector('details').open = true")
            assert page.eval("document.documentElement.scrollWidth") <= width, width
            # Every cell can be scrolled to.
            assert page.eval(
                "[...document.querySelectorAll('table')].every(t => t.offsetWidth <= t.parentNode.scrollWidth)"
            )
            assert not page.complaints(), page.complaints()


def dark_and_light_are_both_readable(browser):
    for dark in (False, True):
        with browser.page(dark=dark) as page:
            page.open(OPEN)
            is_live(page)
            ground = brightness(page.eval("getComputedStyle(document.body).backgroundColor"))
            assert (ground < 0.1) == dark, ground
            for selector in ("body", ".note", "#health", "thead th", ".tile .name", "#live"):
                colour = f"getComputedStyle(document.querySelector('{selector}')).color"
                text = brightness(page.eval(colour))
                high, low = max(ground, text), min(ground, text)
                contrast = (high + 0.05) / (low + 0.05)
                assert contrast >= 4.5, f"{selector}: {contrast}, dark: {dark}"


def brightness(colour):
    """Relative luminance of `rgb(r, g, b)`, as accessibility guidelines compute it."""
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def text_of_others_is_shown_as_text(browser):
    # A key may be anything without spaces. It is shown as reports on the wire show keys.
    key = USER.encode()
    daemon_says(b"set " + key + b" 0 0 100000\r\n" + b"x" * 100000 + b"\r\n", b"STORED\r\n")
    for scripts in (True, False):
        with browser.page(scripts=scripts) as page:
            page.open(OPEN)
            if scripts:
                is_live(page)
            found = page.eval("document.querySelector('[data-table=settings]').textContent")
            assert MARKUP in found, found
            found = page.text("[data-table=big-keys] tbody th")
            assert found == quote(key, safe=""), found
            keys = texts("[data-table=slow] tbody td:nth-child(4)")
            page.await_true(f"{keys}.includes({json.dumps(found)})")
            assert page.eval("document.querySelectorAll('img').length") == 0
            assert "owned" not in page.eval("document.title")
            assert not page.complaints(), page.complaints()


def it_says_when_the_daemon_is_silent_and_recovers(browser):
    with browser.page() as page:
        page.open(OPEN)
        is_live(page)
        network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        page.call("Network.emulateNetworkConditions", offline=True, **network)
        page.await_true("document.getElementById('live').textContent.startsWith('Not live since ')")
        page.call("Network.emulateNetworkConditions", offline=False, **network)
        is_live(page)


def the_token_is_asked_for(browser):
    with browser.page() as page:
        page.open(CLOSED)
        assert page.eval("document.querySelectorAll('table').length") == 0
    with browser.page() as page:
        page.open(CLOSED.replace("://", f"://operator:{TOKEN}@"))
        is_live(page)
        assert page.text("#health") == "ready"
        # Nobody has been there yet.
        assert page.text("#slow .empty") == "No turn has taken so long."
        assert page.eval("document.querySelector('#slow .wide').hidden")


def changes_are_offered_to_who_has_shown_the_token(browser):
    with browser.page() as page:
        page.open(OPEN)
        is_live(page)
        assert page.eval("document.getElementById('changes').hidden")
    with browser.page() as page:
        page.open(CLOSED.replace("://", f"://operator:{TOKEN}@"))
        is_live(page)
        assert page.eval("document.querySelector('[name=megabytes]').value") == "64"
        page.eval("document.querySelector('[name=megabytes]').value = 48")
        page.eval("document.querySelector('[data-change=cache_memlimit] button').click()")
        page.await_true("document.getElementById('told').textContent === 'Done: the memory limit is 48 MiB.'")
        page.await_true("document.querySelector('[data-tile=memory] .note').textContent.startsWith('of 48')")
        # What cannot be undone wants a second click.
        flush = "document.querySelector('[data-change=flush_all] button')"
        page.eval(flush + ".click()")
        assert page.eval(flush + ".textContent").startswith("Yes"), page.eval(flush + ".textContent")
        assert "flushed" not in page.text("#told")
        page.eval(flush + ".click()")
        page.await_true("document.getElementById('told').textContent === 'Done: 0 items were flushed.'")
        # And so does closing a client, whose name is only text, whatever it is.
        with socket.create_connection(("127.0.0.1", OTHER), 20) as client:
            login = f"{USER} secret".encode()
            client.sendall(b"set login 0 0 %d\r\n%s\r\n" % (len(login), login))
            assert client.recv(100) == b"STORED\r\n"
            page.open(CLOSED.replace("://", f"://operator:{TOKEN}@"))
            page.await_true("document.querySelector('td.kill button')?.hidden === false")
            assert page.text("[data-table=clients] tbody td") == USER
            users = texts("[data-table=slow] tbody td:last-child")
            page.await_true(f"{users}.includes({json.dumps(USER)})")
            assert page.eval("document.querySelectorAll('img').length") == 0
            kill = "document.querySelector('td.kill button')"
            page.eval(kill + ".click()")
            assert page.eval(kill + ".textContent") == "Sure?"
            page.eval(kill + ".click()")
            assert client.recv(100) == b"", "it is closed"
            page.await_true("document.querySelectorAll('[data-table=clients] tbody tr').length === 0")
            assert page.text("#clients .empty") == "Nobody is connected."
        assert not page.complaints(), page.complaints()


def over_tls_it_is_the_same_page_and_changes_the_same(browser):
    url = SECURE.replace("://", f"://operator:{TOKEN}@")
    with browser.page() as page:
        # Who has signed it is looked at, or this would say nothing of TLS.
        told = page.call("Page.navigate", url=url)
        assert told.get("errorText", "").startswith("net::ERR_CERT"), told
    with browser.page() as page:
        page.call("Security.setIgnoreCertificateErrors", ignore=True)
        page.open(url)
        is_live(page)
        assert page.eval("location.protocol") == "https:"
        assert page.text("#health") == "ready"
        page.await_true("document.querySelector('#plot path').getAttribute('d').includes('L')")
        # A change is posted from https, which the daemon takes for its own page.
        page.eval("document.querySelector('[name=megabytes]').value = 48")
        page.eval("document.querySelector('[data-change=cache_memlimit] button').click()")
        page.await_true("document.getElementById('told').textContent === 'Done: the memory limit is 48 MiB.'")
        assert not page.complaints(), page.complaints()


CASES = [
    without_scripts_it_is_a_page_of_tables,
    with_scripts_it_follows_the_daemon,
    keys_reach_everything,
    a_phone_scrolls_in_one_direction,
    dark_and_light_are_both_readable,
    text_of_others_is_shown_as_text,
    it_says_when_the_daemon_is_silent_and_recovers,
    the_token_is_asked_for,
    changes_are_offered_to_who_has_shown_the_token,
    over_tls_it_is_the_same_page_and_changes_the_same,
]

if __name__ == "__main__":
    store(3)
    with Browser() as chromium:
        for case in CASES:
            case(chromium)
            print(f"passed: {case.__name__}", flush=True)
        if "keep" in WORDS:
            with chromium.page(width=1280, height=1000) as picture:
                picture.open(OPEN)
                is_live(picture)
                picture.screenshot(WORDS["keep"])
    print(f"passed: all {len(CASES)} cases")

"""Installs the Debian package into a scratch root, uses it, purges it, and looks what is left.

The scratch root is a layer over the root of this host, or over a clean Debian (--clean FOLDER, made
by debootstrap if it is not there): what is written goes into memory and ends with this program. The
network is one of its own, so that the ports of the packaged settings are free. Without --deb a
package is made of what Cargo.toml lists, with the programs from --programs. --rpm has its turn
in the same root after that.

Needs root, to mount; without it the exit code is 77 and the reason stands on standard error.
"""

import argparse
import fcntl
import os
import pathlib
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import tomllib
import urllib.request

from pymemcache.client.base import Client

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
PATIENCE_S = 60
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# What dpkg, the tools for accounts and this program write down on their own account.
KEPT = ("var/lib/dpkg/", "var/log/", "var/cache/", "tmp/", "run/", "root/")
KEPT_FILES = {
    "etc/.pwd.lock",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/subuid-",
    "etc/subgid-",
    "etc/ld.so.cache",
}


def run(*command, **options):
    """Runs a command that must succeed; returns what it said."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S * 10,
        env={"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive"},
        **options,
    )
    if done.returncode != 0:
        sys.exit(f"{command} failed with {done.returncode}:\n{done.stdout}")
    return done.stdout


def check(is_so, sentence):
    if not is_so:
        sys.exit(f"not so: {sentence}")


# The package, when none is given.


def build(programs, folder):
    """Makes a package of what Cargo.toml lists, as cargo-deb would."""
    package = tomllib.loads((SOURCE / "Cargo.toml").read_text())["package"]
    deb = package["metadata"]["deb"]
    tree = folder / "tree"
    for pattern, target, mode in deb["assets"]:
        if pattern.startswith("target/release/"):
            sources = [programs / pathlib.Path(pattern).name]
        else:
            sources = sorted(SOURCE.glob(pattern))
        check(sources, f"{pattern} of Cargo.toml names a file")
        for source in sources:
            path = tree / target
            if target.endswith("/"):
                path = path / source.name
            path.parent.mkdir(parents=True, exist_ok=True)
            if "usr/bin" in target:
                run("strip", "-o", path, source)
            else:
                shutil.copyfile(source, path)
            path.chmod(int(mode, 8))
    control = tree / "DEBIAN"
    control.mkdir()
    depends = deb["depends"].replace("$auto, ", "")
    machine = run("dpkg", "--print-architecture").strip()
    (control / "control").write_text(
        f"Package: {package['name']}\nVersion: {package['version']}-1\nArchitecture: {machine}\n"
        f"Maintainer: {deb['maintainer']} <root@localhost>\nDepends: {depends}\n"
        f"Description: {package['description']}\n"
    )
    (control / "conffiles").write_text("".join(f"{name}\n" for name in deb["conf-files"]))
    for script in ("postinst", "prerm", "postrm"):
        shutil.copyfile(SOURCE / deb["maintainer-scripts"] / script, control / script)
        (control / script).chmod(0o755)
    made = folder / "larder.deb"
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, made)
    return made


# The scratch root.


class Root:
    def __init__(self, lower, folder):
        self.lower = pathlib.Path(lower)
        run("mount", "-t", "tmpfs", "scratch", folder)
        self.upper, work, self.path = folder / "upper", folder / "work", folder / "root"
        for part in (self.upper, work, self.path):
            part.mkdir()
        layers = f"lowerdir={lower},upperdir={self.upper},workdir={work}"
        run("mount", "-t", "overlay", "overlay", "-o", layers, self.path)
        run("mount", "--bind", "/proc", self.path / "proc")
        run("mount", "--bind", "/dev", self.path / "dev")
        # Nothing in there may find the service manager of this host.
        run("mount", "-t", "tmpfs", "run", self.path / "run")

    def run(self, *command):
        return run("chroot", self.path, *command)

    def exists(self, name):
        return os.path.lexists(self.path / name)

    def changes(self):
        """Paths that differ from what was there before."""
        found = []
        for folder, folders, files in os.walk(self.upper):
            for name in folders + files:
                path = pathlib.Path(folder) / name
                inside = path.relative_to(self.upper)
                if not str(inside).startswith(KEPT) and str(inside) not in KEPT_FILES:
                    if not self.is_as_before(path, self.lower / inside):
                        found.append(str(inside))
        return found

    @staticmethod
    def is_as_before(path, before):
        now = path.lstat()
        if stat.S_ISCHR(now.st_mode) and now.st_rdev == 0:
            # A file that was removed. It must not have been there before.
            return not os.path.lexists(before)
        if not os.path.lexists(before):
            return False
        if stat.S_ISREG(now.st_mode):
            return path.read_bytes() == before.read_bytes()
        return True


# The daemon.


class Daemon:
    """larderd as the unit starts it, with this program in the place of systemd."""

    def __init__(self, root, user, command):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify = root.path / "run/notify"
        notify.unlink(missing_ok=True)
        self.socket.bind(str(notify))
        notify.chmod(0o777)
        self.socket.settimeout(PATIENCE_S)
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            ["chroot", f"--userspec={user}:{user}", str(root.path), *command],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env={"PATH": PATH, "NOTIFY_SOCKET": "/run/notify"},
        )
        try:
            heard = self.hear()
        except TimeoutError:
            self.process.kill()
            sys.exit(f"{command} does not say that it serves: {self.said()}")
        check(heard.startswith("READY=1\n"), f"{command} is ready: {heard}")

    def hear(self):
        return self.socket.recv(4096).decode()

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        self.process.terminate()
        check(self.process.wait(PATIENCE_S) == 0, f"it ends well: {self.said()}")


def converse(address):
    """A conversation as `nc` would have it, then one by pymemcache."""
    with socket.create_connection(address, PATIENCE_S) as client:
        client.sendall(b"set k 5 0 5\r\nvalue\r\nget k\r\nquit\r\n")
        heard = b""
        while part := client.recv(4096):
            heard += part
    check(heard == b"STORED\r\nVALUE k 5 5\r\nvalue\r\nEND\r\n", f"it answers: {heard}")
    client = Client(address, timeout=PATIENCE_S)
    check(client.set("p", b"1") and client.get("p") == b"1", "pymemcache reads what it wrote")
    check(client.incr("p", 41) == 42 and client.delete("p"), "pymemcache counts and deletes")


def unit(root):
    """The settings of the packaged unit; the last of each."""
    text = (root.path / "usr/lib/systemd/system/larderd.service").read_text()
    lines = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name: value for name, value in lines}


def bring_up_loopback():
    name = struct.pack("16sh", b"lo", 1)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, name)


# The test.

WANTS = "etc/systemd/system/multi-user.target.wants/larderd.service"


def install(root, deb):
    shutil.copyfile(deb, root.path / "tmp/larder.deb")
    # Triggers are those of other packages, which format manuals for minutes.
    dpkg = ("dpkg", "--no-triggers", "--force-unsafe-io", "--force-confold")
    root.run(*dpkg, "--install", "/tmp/larder.deb")
    return dpkg


def serve_as_the_unit_says(root):
    settings = unit(root)
    user = settings["User"]
    # What systemd makes for the unit, and what a daemon leaves there.
    for parent, name in (("run", "RuntimeDirectory"), ("var/lib", "StateDirectory")):
        made = root.path / parent / settings[name]
        made.mkdir(exist_ok=True)
        (made / "left").touch()
    daemon = Daemon(root, user, settings["ExecStart"].split())
    owner = os.stat(f"/proc/{daemon.process.pid}").st_uid
    account = root.run("getent", "passwd", user)
    check(str(owner) == account.split(":")[2], "it runs as the account of the unit")
    converse(("127.0.0.1", 11211))
    converse(("::1", 11211))
    check("curr_items" in root.run("larder", "stats"), "the client program asks it")
    with urllib.request.urlopen("http://127.0.0.1:9150/metrics", timeout=PATIENCE_S) as page:
        check(b"memcached_up 1" in page.read(), "it has metrics where the exporter has them")
    daemon.process.send_signal(1)
    check(daemon.hear().startswith("RELOADING=1\n"), "it reloads")
    check(daemon.hear().startswith("READY=1\n"), "it has reloaded")
    daemon.stop()


def inside_rpm(rpm, root):
    """The other kind of package, which leaves its account as is the custom there."""
    tool = ("rpm", "--root", root.path, "--nodeps", "--noplugins")
    run(*tool, "--install", rpm)
    check(root.exists(WANTS), "the presets of the distribution have enabled it")
    serve_as_the_unit_says(root)
    conf = root.path / "etc/larder/larderd.conf"
    conf.write_text(conf.read_text() + "-m 128\n")
    run(*tool, "--upgrade", "--force", rpm)
    check(conf.read_text().endswith("-m 128\n"), "an upgrade keeps changed settings")
    run(*tool, "--erase", "larder")
    for name in ("usr/bin/larderd", "usr/bin/larder", WANTS, "usr/lib/sysusers.d/larder.conf"):
        check(not root.exists(name), f"{name} is gone")
    print("rpm: installed, served, upgraded, erased")


def inside(deb, root):
    dpkg = install(root, deb)
    for name in ("usr/bin/larderd", "usr/bin/larder", "etc/larder/larderd.conf", WANTS):
        check(root.exists(name), f"{name} is installed")
    accounts = root.run("getent", "passwd", "larder")
    check(accounts.startswith("larder:"), "there is an account")
    check("is good" in root.run("larderd", "--config", "/etc/larder/larderd.conf", "--check-config"),
          "the packaged settings are good")
    print("installed")

    serve_as_the_unit_says(root)
    print("served as the unit says")

    # The settings that Debian's memcached has been installed with, as they are.
    theirs = pathlib.Path("/etc/memcached.conf")
    if theirs.exists():
        shutil.copyfile(theirs, root.path / "tmp/memcached.conf")
        daemon = Daemon(root, "larder", ["/usr/bin/larderd", "--config", "/tmp/memcached.conf"])
        converse(("127.0.0.1", 11211))
        daemon.stop()
        lines = daemon.said().splitlines()
        # There is no folder for the pid file that they name, and none is needed.
        strange = [line for line in lines if "pid file" not in line]
        check(not strange, f"nothing is wrong with them: {strange}")
        print("served with memcached.conf")

    # An operator's settings outlast a newer package, and a removal.
    conf = root.path / "etc/larder/larderd.conf"
    conf.write_text(conf.read_text() + "-m 128\n")
    install(root, deb)
    check(conf.read_text().endswith("-m 128\n"), "an upgrade keeps changed settings")
    # As `systemctl disable` does.
    (root.path / WANTS).unlink()
    install(root, deb)
    check(not root.exists(WANTS), "an upgrade does not enable what was disabled")
    root.run(*dpkg, "--remove", "larder")
    check(not root.exists("usr/bin/larderd") and conf.exists(), "a removal keeps settings")
    root.run(*dpkg, "--purge", "larder")
    left = root.changes()
    check(not left, f"nothing is left: {left}")
    check(not root.exists("run/larder"), "nothing is left in /run")
    print("purged, nothing is left")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=SOURCE / "target/debug")
    parser.add_argument("--deb", type=pathlib.Path)
    parser.add_argument("--rpm", type=pathlib.Path)
    parser.add_argument("--clean", type=pathlib.Path)
    parser.add_argument("--inside", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        bring_up_loopback()
        root = Root(arguments.clean or "/", arguments.inside)
        inside(arguments.deb, root)
        if arguments.rpm:
            inside_rpm(arguments.rpm, root)
        return
    tried = subprocess.run(
        ["unshare", "--mount", "--net", "true"], stderr=subprocess.PIPE, text=True, check=False
    )
    if os.geteuid() != 0 or tried.returncode != 0:
        print(f"not tested: a scratch root needs root {tried.stderr}", file=sys.stderr)
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        clean = arguments.clean
        if clean and not (clean / "usr/bin/dpkg").exists():
            begun = clean.with_name(clean.name + ".begun")
            shutil.rmtree(begun, ignore_errors=True)
            begun.parent.mkdir(parents=True, exist_ok=True)
            run("debootstrap", "--variant=minbase", "--include=systemd", "bookworm", begun)
            begun.rename(clean)
        deb = (arguments.deb or build(arguments.programs, folder)).resolve()
        (folder / "scratch").mkdir()
        again = [sys.executable, __file__, "--inside", folder / "scratch", "--deb", deb]
        again += ["--clean", clean.resolve()] if clean else []
        again += ["--rpm", arguments.rpm.resolve()] if arguments.rpm else []
        # What is mounted and what runs in there ends with this one.
        inner = ["unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child"]
        sys.exit(subprocess.run([str(word) for word in inner + again], check=False).returncode)


main()

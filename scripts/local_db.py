"""A MariaDB of our own on this machine: its own folder and port, ended by its owner."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pymysql

MAX_CONNECTIONS = 1200  # of the tests' worlds: threads keep theirs, and every worker has two worlds in its races


class NoServer(Exception):
    """The server is missing, did not start or does not allow what is needed; the text says what to do."""


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec")
    if found is None:
        raise NoServer("MariaDB is missing: install the package mariadb-server-core, then run this again.")
    return found


def start(folder: Path, port: int = 0, *, durable: bool = True) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server in ``folder`` (made when new); the process and its port.

    Not ``durable``, a commit outlives the server but not the machine: for tests, where no power fails and a
    disk that is waited for thousands of times is a third of the time. Raises NoServer.
    """
    folder = folder.resolve()
    data = folder / "data"
    _check_free(folder)
    as_user = ["--user=root"] if os.geteuid() == 0 else []  # root must say so; others run as themselves
    log = folder / "mariadb.log"
    scratch = folder / "tmp"  # of its own: at its start a server deletes every server's temporary tables in the folder
    scratch.mkdir(parents=True, exist_ok=True)
    if not (data / "mysql").exists():
        _install(data, as_user, log)
    port = port or _free_port()
    process = subprocess.Popen(
        [_program("mariadbd"), "--no-defaults", *as_user, f"--datadir={data}", f"--socket={_socket(folder)}",
         f"--pid-file={folder / 'pid'}", f"--tmpdir={scratch}", f"--port={port}", "--bind-address=127.0.0.1",
         "--character-set-server=utf8mb4", f"--innodb-flush-log-at-trx-commit={1 if durable else 2}",
         f"--max-connections={MAX_CONNECTIONS}",
         "--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M", "--skip-name-resolve"],
        stdout=log.open("ab"), stderr=subprocess.STDOUT, start_new_session=True)
    try:
        _await_answer(process, port, log)
    except BaseException:  # Ctrl-C too
        stop(process)
        raise
    return process, port


def _check_free(folder: Path) -> None:
    """Raise NoServer when a server whose owner was killed still has the folder: another one would wait for it."""
    try:
        pid = int((folder / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return
    if str(folder).encode() in command:
        raise NoServer(f"A MariaDB runs in {folder} already (process {pid}): end what started it, or, if that is gone, "
                       "`make clean`.")


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NoServer(f"MariaDB did not start; its log is {log}")
        try:
            connect("127.0.0.1", port).close()
            return
        except pymysql.err.OperationalError:
            time.sleep(0.1)
    raise NoServer(f"MariaDB did not answer within a minute; its log is {log}")


def _install(data: Path, as_user: list[str], log: Path) -> None:
    try:
        subprocess.run([_program("mariadb-install-db"), "--no-defaults", *as_user, f"--datadir={data}",
                        "--auth-root-authentication-method=normal", "--skip-test-db"],
                       check=True, stdout=log.open("ab"), stderr=subprocess.STDOUT)
    except subprocess.CalledProcessError:
        shutil.rmtree(data, ignore_errors=True)  # half made, it would look ready to the next start
        raise NoServer(f"MariaDB could not set up its folder; its log is {log}") from None


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server in good order."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def connect(host: str, port: int, database: str | None = None) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """A connection as root, autocommit."""
    return pymysql.connect(host=host, port=port, user="root", password="", database=database,
                           charset="utf8mb4", autocommit=True, ssl_disabled=True)


def check(address: str) -> None:
    """Raise NoServer unless the server at ``host:port`` lets tests in and allows them connections enough."""
    host, _, port = address.partition(":")
    try:
        with connect(host, int(port or 3306)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@max_connections")
            [allowed] = cursor.fetchone() or (0,)
    except pymysql.err.OperationalError as error:
        raise NoServer(f"MYSQL={address}: the server must let root in without a password: {error.args[1]}") from None
    if int(allowed) < MAX_CONNECTIONS:
        raise NoServer(f"MYSQL={address}: the server must allow {MAX_CONNECTIONS} connections and allows {allowed}: "
                       f"SET GLOBAL max_connections = {MAX_CONNECTIONS}")


def fresh_database(host: str, port: int, name: str) -> None:
    """An empty database of that name; what stood there is gone."""
    with connect(host, port) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")


def _socket(folder: Path) -> str:
    # A socket's path may have 107 characters; deep folders have more.
    path = str(folder / "s.sock")
    return path if len(path) < 100 else f"/tmp/hospital-{os.getpid()}.sock"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""ClickHouse's HTTP interface before the engine of PyPI's chdb, for tests: what the real server does with
addresses, parameters, compressed bodies, users and errors, one statement at a time.

Usage: clickhouse_front.py FOLDER PORT USER     (the password comes in LAB_CLICKHOUSE_PASSWORD)

Tables stay in FOLDER for another start. `GET /ping` answers "Ok."; exceptions have their code in
X-ClickHouse-Exception-Code and the status that the server gives them.
"""
import base64
import contextlib
import hmac
import http.server
import os
import pathlib
import re
import socketserver
import sys
import threading
import urllib.parse

import pyarrow
from chdb import session

#: Exceptions whose status is not 500 (ClickHouse, src/Server/HTTP/exceptionCodeToHTTPStatus.cpp).
STATUS = {47: 400, 60: 404, 62: 400, 81: 404, 159: 408, 192: 401, 193: 401, 194: 401, 516: 403}
#: Settings of this interface alone; all others are the statement's.
OURS = {"database", "query", "user", "password", "wait_end_of_query", "wait", "compress", "session_id"}


class Failed(Exception):
    """What the server answers instead of a result."""

    def __init__(self, code, name, text):
        super().__init__(f"Code: {code}. DB::Exception: {text} ({name}) (version chdb)")
        self.code = code


class Engine:
    """The one session that a process may have."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.session = session.Session(str(self.folder / "data"))
        self.lock = threading.Lock()
        self.bodies = 0

    def ask(self, sql, form="TabSeparated", parameters=None):
        try:
            return self.session.query(sql, form, params=parameters or None).bytes()
        except Exception as error:  # chdb has one kind for all
            found = re.match(r"Code: (\d+)\. DB::Exception: (.*?)(?:\((\w+)\))?\s*$", str(error), re.S)
            if not found:
                raise Failed(1001, "STD_EXCEPTION", str(error)) from None
            raise Failed(int(found[1]), found[3] or "UNKNOWN", found[2].strip()) from None

    def run(self, database, sql, parameters, settings, data):
        with self.lock:
            if database and not self.ask(f"SELECT 1 FROM system.databases WHERE name = {quoted(database)}"):
                raise Failed(81, "UNKNOWN_DATABASE", f"Database {database} does not exist.")
            self.ask(f"USE {identifier(database or 'default')}")
            sql = sql.strip().rstrip(";")
            with_settings = ", ".join(f"{identifier(name)} = {quoted(value)}" for name, value in settings.items())
            if data is None:
                form = "TabSeparated"
                if found := re.search(r"\sFORMAT\s+(\w+)\s*$", sql, re.I):
                    sql, form = sql[:found.start()], found[1]
                if with_settings and re.match(r"\s*(SELECT|WITH)\b", sql, re.I):
                    sql += f" SETTINGS {with_settings}"
                return self.ask(sql, form, parameters)
            return self.insert(sql, with_settings, data)

    def insert(self, sql, with_settings, data):
        """The rows go through a file: as a part of the statement they would be read by its parser."""
        found = re.match(r"(INSERT\s+INTO\s+.*?)\s+FORMAT\s+(\w+)\s*$", sql, re.I | re.S)
        if not found:
            raise Failed(62, "SYNTAX_ERROR", "Syntax error: a body needs INSERT INTO ... FORMAT ...")
        self.bodies += 1
        path = self.folder / f"body-{self.bodies}"
        path.write_bytes(data)
        with contextlib.ExitStack() as after:
            after.callback(path.unlink)
            settings = f" SETTINGS {with_settings}" if with_settings else ""
            return self.ask(f"{found[1]} FROM INFILE {quoted(str(path))} COMPRESSION 'none'{settings} FORMAT {found[2]}")


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(text):
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def reply(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/ping":
            return self.reply(200, b"Ok.\n")
        return self.do_POST()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))
        try:
            self.check_user(query)
            coding = self.headers.get("Content-Encoding")
            if coding in ("gzip", "zstd"):
                body = pyarrow.CompressedInputStream(pyarrow.BufferReader(body), coding).read()
            sql, data = query.get("query"), body
            if sql is None:
                sql, data = body.decode(), None
            elif not body:
                data = None
            answer = self.server.engine.run(
                query.get("database"), sql,
                {name[len("param_"):]: value for name, value in query.items() if name.startswith("param_")},
                {name: value for name, value in query.items() if name not in OURS and not name.startswith("param_")},
                data)
        except Failed as failed:
            self.reply(STATUS.get(failed.code, 500), str(failed).encode(),
                       X_ClickHouse_Exception_Code=str(failed.code))
            return
        self.reply(200, answer, Content_Type="text/plain; charset=UTF-8")

    def check_user(self, query):
        basic = self.headers.get("Authorization", "").removeprefix("Basic ")
        name, _, word = base64.b64decode(basic).decode().partition(":")
        user = name or self.headers.get("X-ClickHouse-User") or query.get("user") or "default"
        password = word or self.headers.get("X-ClickHouse-Key") or query.get("password") or ""
        right = hmac.compare_digest(password.encode(), self.server.password.encode())
        if user != self.server.user or not right:
            raise Failed(516, "AUTHENTICATION_FAILED", f"{user}: Authentication failed: password is incorrect, "
                         "or there is no user with such name.")


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main(folder, port, user):
    server = Server(("127.0.0.1", int(port)), Front)
    server.user, server.password = user, os.environ["LAB_CLICKHOUSE_PASSWORD"]
    server.engine = Engine(folder)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A Hugging Face Hub on this machine: repositories of small files, each push a commit.

It speaks what huggingface_hub asks of the real one: create, preupload, commit, info, resolve.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Files = dict[str, bytes]


class Hub:
    """What the server holds."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, Files]] = {}
        """By name: commits by their hash, in order"""
        self.address = ""

    def commit(self, name: str, revision: str) -> tuple[str, Files] | None:
        """Hash and files; "main" is the last commit."""
        commits = self.repositories.get(name, {})
        if revision == "main" and commits:
            revision = list(commits)[-1]
        return (revision, commits[revision]) if revision in commits else None


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def answer(self, content: Any, status: int = 200, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def missing(self, code: str) -> None:
        self.answer({"error": code}, 404, X_Error_Code=code)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if name in self.hub.repositories:
                self.answer({"url": f"{self.hub.address}/{name}"}, 409)
                return
            self.hub.repositories[name] = {}
            self.answer({"url": f"{self.hub.address}/{name}", "name": name})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self.answer({"files": files})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            commits = self.hub.repositories[found[1]]
            files = dict(list(commits.values())[-1]) if commits else {}
            for line in body.splitlines():
                item = json.loads(line)
                if item["key"] == "file":
                    files[item["value"]["path"]] = base64.b64decode(item["value"]["content"])
            name = hashlib.sha1(body + str(len(commits)).encode()).hexdigest()
            commits[name] = files
            url = f"{self.hub.address}/{found[1]}/commit/{name}"
            self.answer({"success": True, "commitOid": name, "commitUrl": url})
        else:
            self.answer({}, 200)  # such as the check of a model card's head

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+?)(?:/revision/(.+))?", path):
            if found[1] not in self.hub.repositories:
                self.missing("RepoNotFound")
                return
            commit = self.hub.commit(found[1], found[2] or "main")
            if commit is None and found[2]:
                self.missing("RevisionNotFound")
                return
            name, files = commit or ("0" * 40, {})
            siblings = [{"rfilename": file} for file in files]
            self.answer({"_id": "1", "id": found[1], "sha": name, "private": False, "tags": [],
                         "downloads": 0, "likes": 0, "siblings": siblings})  # fmt: skip
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
            commit = self.hub.commit(found[1], found[2])
            files = commit[1] if commit else {}
            self.answer([{"type": "file", "path": file, "size": len(data), "oid": _oid(data)}
                         for file, data in files.items()])  # fmt: skip
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            commit = self.hub.commit(found[1], found[2])
            if commit is None or found[3] not in commit[1]:
                self.missing("EntryNotFound")
                return
            data = commit[1][found[3]]
            self.answer(data, X_Repo_Commit=commit[0], ETag=f'"{_oid(data)}"')
        else:
            self.missing("EntryNotFound")

    do_HEAD = do_GET


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@contextmanager
def serving() -> Iterator[Hub]:
    """A running Hub; its `address` is where."""
    hub = Hub()
    handler = type("Bound", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""A stand-in for the hub's HTTP API on this machine: repositories are made, take commits, and give files back.

It answers what `huggingface_hub` asks for: https://huggingface.co/docs/hub/api, Git LFS's batch API with the transfer
"basic", and `resolve`. Xet, the hub's own transfer, is not spoken.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

TOKEN = "hf_of_the_tests"


class StandIn:
    """The repositories, as the files of each commit, newest last, and what was asked for."""

    def __init__(self) -> None:
        self.commits: dict[str, list[tuple[str, dict[str, bytes]]]] = {}
        self.created: list[dict[str, Any]] = []
        self.large: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.address = ""

    def files(self, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit that a revision names, and its files."""
        commits = self.commits.get(repository, [])
        named = [commit for commit in commits if revision in ("main", commit[0])]
        return named[-1] if named else None


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Serve one for the time of a test."""
    hub = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each body waits 40 ms for the headers to be confirmed

    def log_message(self, format: str, *args: object) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")

    def do_POST(self) -> None:
        body = self._body()
        commit = re.fullmatch(r"/api/models/(.+)/commit/main", self.path)
        if self.path == "/api/validate-yaml":
            self._validate(json.loads(body)["content"])
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            self._create(json.loads(body))
        elif self.path.endswith("/preupload/main"):
            modes = {True: "lfs", False: "regular"}
            files = [
                {"path": f["path"], "uploadMode": modes[f["path"].endswith(".safetensors")], "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        elif self.path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**given, "actions": {"upload": {"href": f"{self.hub.address}/large/{given['oid']}"}}}
                for given in json.loads(body)["objects"]
            ]
            self._answer(200, {"transfer": "basic", "objects": objects})
        elif commit:
            self._commit(commit[1], [json.loads(line) for line in body.splitlines()])
        else:
            self._answer(404, {"error": "not found"})

    def do_PUT(self) -> None:
        self.hub.large[self.path.rpartition("/")[2]] = self._body()
        self._answer(200, {})

    def do_HEAD(self) -> None:
        self._resolve(send=False)

    def do_GET(self) -> None:
        self._resolve(send=True)

    def _body(self) -> bytes:
        """The whole body; a file comes in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _validate(self, card: str) -> None:
        """What the hub asks of the metadata: it is YAML, and each result of `model-index` is complete."""
        try:
            data = yaml.safe_load(card.split("---")[1])
            for model in data.get("model-index", []):
                for result in model["results"]:
                    assert result["task"]["type"]
                    assert result["dataset"]["type"]
                    assert result["dataset"]["name"]
                    assert all(isinstance(metric["value"], float) and metric["type"] for metric in result["metrics"])
        except (yaml.YAMLError, LookupError, AssertionError, TypeError) as error:
            self._answer(400, {"errors": [{"message": repr(error)}], "warnings": []})
        else:
            self._answer(200, {"errors": [], "warnings": []})

    def _create(self, given: dict[str, Any]) -> None:
        name = f"{given['organization']}/{given['name']}"
        self.hub.created.append(given)
        if given["organization"] == "somebody-else":
            self._answer(403, {"error": "You have no rights here."})
        else:
            known = name in self.hub.commits
            self.hub.commits.setdefault(name, [])
            self._answer(409 if known else 200, {"url": f"{self.hub.address}/{name}"})

    def _commit(self, repository: str, lines: list[dict[str, Any]]) -> None:
        newest = self.hub.files(repository, "main")
        files = dict(newest[1]) if newest else {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
        commit = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.hub.commits[repository].append((commit, files))
        self._answer(200, {"commitUrl": f"{self.hub.address}/{repository}/commit/{commit}", "commitOid": commit})

    def _resolve(self, send: bool) -> None:
        named = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        found = named and self.hub.files(named[1], named[2])
        if not named or not found or named[3] not in found[1]:
            known = named and named[1] in self.hub.commits
            code = "EntryNotFound" if found else "RevisionNotFound" if known else "RepoNotFound"
            self._answer(404, {"error": code}, {"X-Error-Code": code}, send)
            return
        commit, files = found
        content = files[named[3]]
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        self._send(200, content, {"X-Repo-Commit": commit, "ETag": etag}, send)

    def _answer(self, code: int, body: object, headers: dict[str, str] | None = None, send: bool = True) -> None:
        self._send(code, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}, send)

    def _send(self, code: int, content: bytes, headers: dict[str, str], send: bool) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if send:
            self.wfile.write(content)

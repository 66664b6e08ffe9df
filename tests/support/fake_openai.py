"""A small server with OpenAI's completions, as vLLM has them: a tiny model answers, or whatever a test lets it say."""

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from spring.models.manifest import read_manifest

Fault = Callable[["_Handler"], None]


class FakeServer(ThreadingHTTPServer):
    """Serves an exported folder.

    Attributes:
        faults: what happens instead to the next completions, one each.
        asked: the bodies of all completions.
        keys: the headers Authorization of all requests.
        piece: bytes of an event stream that are sent at once; 0: all of an event.
        tells: which of vLLM's own fields it knows.
        dropped: is set when a client ends a stream.

    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.eos = list(read_manifest(folder).eos_ids)
        self.models: list[object] = [{"id": "tiny", "max_model_len": 512}]
        self.faults: deque[Fault] = deque()
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.piece = 0
        self.tells = {"token_ids", "prompt_logprobs"}
        self.dropped = threading.Event()
        self.connections: list[socket.socket] = []
        self._one = threading.Lock()
        self._known: dict[tuple[tuple[int, ...], int, tuple[int, ...]], list[int]] = {}

    @property
    def url(self) -> str:
        """Its address for an engine."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_: object) -> None:
        """A client has left: that is no news."""

    def generate(self, body: dict[str, Any]) -> list[int]:
        """Greedy ids, the one that ends them included; the same question is not computed twice."""
        ends = () if body.get("ignore_eos") else tuple(self.eos)
        asked = tuple(body["prompt"]), body["max_tokens"], ends
        with self._one:
            if asked not in self._known:
                ids = torch.tensor([body["prompt"]])
                settings = GenerationConfig(max_new_tokens=asked[1], pad_token_id=0, eos_token_id=list(ends))
                self._known[asked] = self.model.generate(ids, generation_config=settings)[0, ids.shape[1] :].tolist()
            return self._known[asked]

    def logprobs(self, prompt: list[int]) -> list[Any]:
        """vLLM's `prompt_logprobs`."""
        with self._one, torch.inference_mode():
            scores = self.model(torch.tensor([prompt])).logits[0].log_softmax(-1)
        return [None, *({str(id): {"logprob": float(scores[i, id])}} for i, id in enumerate(prompt[1:]))]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each body waits 40 ms for the headers to be confirmed
    server: FakeServer

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self.connection)

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.keys.append(self.headers["Authorization"])
        self.reply(200, {"data": self.server.models})

    def do_POST(self) -> None:
        self.server.keys.append(self.headers["Authorization"])
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        with suppress(BrokenPipeError, ConnectionResetError):
            if self.server.faults:
                self.server.faults.popleft()(self)
            elif not body.get("stream"):
                self.reply(200, {"choices": [self.whole(body)]})
            else:
                self.begin_stream()
                for choice in self.choices(body):
                    self.event({"choices": [choice]})
                self.send(b"data: [DONE]\n\n")
                self.end_stream()
            return
        self.server.dropped.set()

    def whole(self, body: dict[str, Any]) -> dict[str, Any]:
        ids = self.server.generate(body)
        choice: dict[str, Any] = {"text": self.server.tokenizer.decode(ids, skip_special_tokens=True)}
        if "token_ids" in self.server.tells:
            choice["token_ids"] = ids
        if "prompt_logprobs" in body and "prompt_logprobs" in self.server.tells:
            choice["prompt_logprobs"] = self.server.logprobs(body["prompt"])
        return choice

    def choices(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        ids, decode = self.server.generate(body), self.server.tokenizer.decode
        said = ""
        for place, id in enumerate(ids):
            last = place + 1 == len(ids)
            text = decode(ids[: place + 1], skip_special_tokens=True)
            text = text if last else text.rstrip("\N{REPLACEMENT CHARACTER}")  # half of a character waits
            reason = ("stop" if id in self.server.eos else "length") if last else None
            yield {"index": 0, "text": text[len(said) :], "finish_reason": reason} | (
                {"token_ids": [id]} if "token_ids" in self.server.tells else {}
            )
            said = text

    def reply(self, status: int, body: object) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, event: object) -> None:
        self.send(f"data: {json.dumps(event, ensure_ascii=False)}\r\n\r\n".encode())

    def send(self, text: bytes) -> None:
        size = self.server.piece or len(text)
        for start in range(0, len(text), size):
            part = text[start : start + size]
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.flush()

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")


def answers(status: int, text: bytes = b"{}") -> Fault:
    """A refusal."""
    return lambda handler: handler.reply(status, text)


def leaves(handler: _Handler) -> None:
    """The connection is closed without a word."""
    handler.close_connection = True


def says(*parts: bytes, whole: bool = False) -> Fault:
    """A stream of these bytes; unless it is `whole`, the connection is cut after them."""

    def fault(handler: _Handler) -> None:
        handler.begin_stream()
        for part in parts:
            handler.send(part)
        if whole:
            handler.end_stream()
        handler.close_connection = True

    return fault


def hangs(before: bytes = b"") -> Fault:
    """A stream that says nothing more until its client leaves."""

    def fault(handler: _Handler) -> None:
        handler.begin_stream()
        if before:
            handler.send(before)
        handler.connection.settimeout(60)
        if not handler.connection.recv(1):
            handler.server.dropped.set()
        handler.close_connection = True

    return fault


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[FakeServer]:
    """A server for a while."""
    with FakeServer(folder, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            for connection in server.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            thread.join()

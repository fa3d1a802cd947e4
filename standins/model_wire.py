"""Both providers' wire formats, as their SDKs read them: server-sent events, bodies, errors, vectors."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from standins.model_script import Fault, RecordedRequest, Script

__all__ = ["AnthropicWire", "OpenAIWire", "Wire", "embedding_of", "embeddings_body", "structured_reply"]

_OPENAI_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class Wire(Protocol):
    """One API's way to say the same things."""

    ping: bytes

    def begin(self, request: RecordedRequest, script: Script) -> bytes:
        """All that comes before the first token."""
        ...

    def token(self, piece: str) -> bytes:
        """One token."""
        ...

    def end(self, script: Script, sent: int) -> bytes:
        """All that comes after the last token."""
        ...

    def silent_end(self) -> bytes:
        """What a stream that ends without its proper end still sends."""
        ...

    def error_event(self, fault: Fault) -> bytes:
        """An error inside a started stream."""
        ...

    def error_body(self, fault: Fault) -> dict[str, Any]:
        """The body of an HTTP error."""
        ...

    def whole(self, request: RecordedRequest, script: Script, text: str) -> dict[str, Any]:
        """The reply to a call that asked for no stream."""
        ...


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


@lru_cache(maxsize=4096)
def _anthropic_token(piece: str, index: int) -> bytes:
    delta = {"type": "text_delta", "text": piece}
    return _event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})


class AnthropicWire:
    """Anthropic's Messages API."""

    ping = _event("ping", {"type": "ping"})

    def __init__(self) -> None:
        self._index = 0

    @staticmethod
    def _usage(script: Script, sent: int) -> dict[str, int]:
        return {
            "input_tokens": script.input_tokens,
            "output_tokens": sent,
            "cache_read_input_tokens": script.cache_read_tokens,
            "cache_creation_input_tokens": 0,
        }

    def _message(self, request: RecordedRequest, script: Script, sent: int) -> dict[str, Any]:
        return {
            "id": "msg_standin",
            "type": "message",
            "role": "assistant",
            "model": request.body.get("model", "stand-in"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": self._usage(script, sent),
        }

    def begin(self, request: RecordedRequest, script: Script) -> bytes:
        """message_start, thinking blocks, and the start of the text block."""
        events = [_event("message_start", {"type": "message_start", "message": self._message(request, script, 1)})]
        if script.thinking:
            block = {"type": "thinking", "thinking": "", "signature": ""}
            delta = {"type": "thinking_delta", "thinking": script.thinking}
            events += [
                _event("content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}),
                _event("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}),
                _event("content_block_stop", {"type": "content_block_stop", "index": 0}),
            ]
            self._index = 1
        block = {"type": "text", "text": ""}
        start = {"type": "content_block_start", "index": self._index, "content_block": block}
        return b"".join([*events, _event("content_block_start", start), self.ping])

    def token(self, piece: str) -> bytes:
        """A text delta."""
        return _anthropic_token(piece, self._index)

    def end(self, script: Script, sent: int) -> bytes:
        """content_block_stop, message_delta with the stop reason, message_stop."""
        delta: dict[str, Any] = {"stop_reason": script.stop_reason, "stop_sequence": None}
        return b"".join(
            [
                _event("content_block_stop", {"type": "content_block_stop", "index": self._index}),
                _event("message_delta", {"type": "message_delta", "delta": delta, "usage": {"output_tokens": sent}}),
                _event("message_stop", {"type": "message_stop"}),
            ]
        )

    def silent_end(self) -> bytes:
        """Nothing: the stream just ends, without message_delta and message_stop."""
        return b""

    def error_event(self, fault: Fault) -> bytes:
        """``event: error``."""
        return _event("error", self.error_body(fault))

    def error_body(self, fault: Fault) -> dict[str, Any]:
        """Anthropic's error envelope."""
        return {"type": "error", "error": {"type": fault.error_type, "message": fault.message}}

    def whole(self, request: RecordedRequest, script: Script, text: str) -> dict[str, Any]:
        """A Message."""
        message = self._message(request, script, len(script.pieces))
        message["content"] = [] if script.stop_reason == "refusal" else [{"type": "text", "text": text}]
        message["stop_reason"] = script.stop_reason
        return message


@lru_cache(maxsize=4096)
def _openai_chunk(delta: str, finish: str | None) -> bytes:
    choice = {"index": 0, "delta": json.loads(delta), "finish_reason": finish}
    return f"data: {json.dumps(_openai_envelope('chat.completion.chunk') | {'choices': [choice]})}\n\n".encode()


def _openai_envelope(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-standin", "object": kind, "created": 0, "model": "stand-in"}


class OpenAIWire:
    """OpenAI's chat completions."""

    ping = b": ping\n\n"

    def __init__(self) -> None:
        self._script: Script | None = None
        self._wants_usage = False

    @staticmethod
    def _usage(script: Script, sent: int) -> dict[str, Any]:
        prompt = script.input_tokens + script.cache_read_tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": sent,
            "total_tokens": prompt + sent,
            "prompt_tokens_details": {"cached_tokens": script.cache_read_tokens},
        }

    def begin(self, request: RecordedRequest, script: Script) -> bytes:
        """The chunk that names the role."""
        self._wants_usage = bool((request.body.get("stream_options") or {}).get("include_usage"))
        del script
        return _openai_chunk('{"role": "assistant", "content": ""}', None)

    def token(self, piece: str) -> bytes:
        """A content delta."""
        return _openai_chunk(json.dumps({"content": piece}), None)

    def end(self, script: Script, sent: int) -> bytes:
        """The finish reason, the usage if it was asked for, [DONE]."""
        last = _openai_chunk("{}", _OPENAI_FINISH.get(script.stop_reason, script.stop_reason))
        usage = b""
        if self._wants_usage:
            body = _openai_envelope("chat.completion.chunk") | {"choices": [], "usage": self._usage(script, sent)}
            usage = f"data: {json.dumps(body)}\n\n".encode()
        return last + usage + b"data: [DONE]\n\n"

    def silent_end(self) -> bytes:
        """[DONE] without a finish reason."""
        return b"data: [DONE]\n\n"

    def error_event(self, fault: Fault) -> bytes:
        """An ``error`` object where a chunk should be."""
        return f"data: {json.dumps(self.error_body(fault))}\n\n".encode()

    def error_body(self, fault: Fault) -> dict[str, Any]:
        """OpenAI's error envelope."""
        return {"error": {"type": fault.error_type, "message": fault.message, "code": None, "param": None}}

    def whole(self, request: RecordedRequest, script: Script, text: str) -> dict[str, Any]:
        """A ChatCompletion."""
        del request
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if script.stop_reason == "refusal":
            message = {"role": "assistant", "content": None, "refusal": "I can't help with that."}
        finish = "stop" if script.stop_reason == "refusal" else _OPENAI_FINISH.get(script.stop_reason, "stop")
        return _openai_envelope("chat.completion") | {
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": self._usage(script, len(script.pieces)),
        }


def structured_reply(request: RecordedRequest, script: Script) -> str:
    """The text of a call without a stream: ``parsed``, the smallest fit of the schema asked for, or the text."""
    if isinstance(script.parsed, str):
        return script.parsed
    if script.parsed is not None:
        return json.dumps(script.parsed)
    schema = _asked_schema(request.body)
    if schema is None:
        return "".join(script.pieces)
    return json.dumps(_smallest(schema, schema.get("$defs", {}), request.last_user_text[-200:]))


def _asked_schema(body: dict[str, Any]) -> dict[str, Any] | None:
    anthropic = (body.get("output_config") or {}).get("format") or {}
    openai = (body.get("response_format") or {}).get("json_schema") or {}
    schema = anthropic.get("schema") or openai.get("schema")
    return schema if isinstance(schema, dict) else None


def _smallest(schema: dict[str, Any], defs: dict[str, Any], text: str) -> Any:  # noqa: ANN401 - any JSON value
    if "$ref" in schema:
        return _smallest(defs[schema["$ref"].rsplit("/", 1)[-1]], defs, text)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _smallest(schema["anyOf"][-1], defs, text)
    plain: dict[str, Any] = {"array": [], "integer": 0, "number": 0.0, "boolean": False, "string": text, "null": None}
    if schema.get("type") != "object":
        return plain[schema["type"]]
    return {name: _smallest(part, defs, text) for name, part in schema.get("properties", {}).items()}


@lru_cache(maxsize=65_536)
def embedding_of(text: str, dimensions: int) -> tuple[float, ...]:
    """A unit vector that depends on the text alone: its words' hashes added up, so shared words mean nearness."""
    total = [0.0] * dimensions
    for word in text.lower().split() or [""]:
        seed = hashlib.shake_128(word.encode()).digest(dimensions)
        for at, byte in enumerate(seed):
            total[at] += byte - 127.5
    length = sum(value * value for value in total) ** 0.5 or 1.0
    return tuple(value / length for value in total)


def embeddings_body(texts: Sequence[str], *, model: str, dimensions: int, as_base64: bool) -> dict[str, Any]:
    """OpenAI's answer to /embeddings, floats or little-endian float32 in base64."""
    data = []
    for index, text in enumerate(texts):
        vector = embedding_of(text, dimensions)
        encoded: str | list[float] = list(vector)
        if as_base64:
            encoded = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": encoded})
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": model, "data": data, "usage": usage}

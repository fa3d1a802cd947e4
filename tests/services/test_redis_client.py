"""The Redis client: plain errors, addresses without secrets, embedded servers that are apart or shared."""

from __future__ import annotations

import asyncio
import inspect
import socket
import time

import pytest
from redis.exceptions import ResponseError

from services import redis_keys
from services.errors import ServiceUnavailableError
from services.redis import RedisClient, check_redis, connect_redis
from services.redis_embedded import EmbeddedRedis


def free_port() -> int:
    """A port nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_commands_and_pipelines_say_that_redis_is_away() -> None:
    """Both raise the one error of ours, with the address and what to do."""
    port = free_port()
    redis = connect_redis(f"redis://127.0.0.1:{port}/3", retries=0)
    words = f"Redis is not reachable at redis://127.0.0.1:{port}/3; start it (redis-server) or set REDIS_URL"
    with pytest.raises(ServiceUnavailableError) as single:
        await redis.get("a")
    async with redis.pipeline() as pipe:
        pipe.get("a")
        with pytest.raises(ServiceUnavailableError) as many:
            await pipe.execute()
    async with redis.pipeline() as pipe:
        with pytest.raises(ServiceUnavailableError) as watched:
            await pipe.watch("a")
    assert {str(single.value), str(many.value), str(watched.value)} == {words}
    assert single.value.service == "redis"
    await redis.aclose()


async def test_check_redis_answers_in_time() -> None:
    """A check never waits for all the retries of a patient client."""
    redis = connect_redis(f"redis://127.0.0.1:{free_port()}/0")
    began = time.monotonic()
    with pytest.raises(ServiceUnavailableError, match="not reachable"):
        await check_redis(redis, timeout_s=0.3)
    assert time.monotonic() - began < 1
    await redis.aclose()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://me:hunter2@cache.example:6380/2", "redis://cache.example:6380/2"),
        ("rediss://:hunter2@cache.example", "rediss://cache.example:6379/0"),
        ("unix:///run/redis.sock?db=1&password=hunter2", "unix:///run/redis.sock"),
        ("embedded://", "embedded://"),
    ],
)
def test_the_address_holds_no_secret(url: str, address: str) -> None:
    """What logs and errors say of a URL is where it leads, and nothing of who goes there."""
    redis = connect_redis(url)
    assert redis.address == address
    assert redis.is_embedded == (address == "embedded://")


@pytest.mark.parametrize("after_the_answer", [b"", b"$7\r\nnot for\r\n"], ids=["hangs up", "says more"])
async def test_an_idle_connection_is_looked_at_before_it_is_used_again(after_the_answer: bytes) -> None:
    """One that the server has closed, or on which something lies that nobody asked for, gives way to a new one."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        number = connections
        while said := await reader.read(1000):
            for _ in range(said.count(b"CLIENT")):
                writer.write(b"+OK\r\n")
            if b"GET" in said:
                writer.write(b"$1\r\n%d\r\n" % number + after_the_answer)
                if not after_the_answer:
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    redis = connect_redis(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", retries=0)
    for number in (b"1", b"2"):
        assert await redis.get("a") == number
        await asyncio.sleep(0.05)
    await redis.aclose()
    server.close()


async def test_a_good_connection_is_used_again() -> None:
    """Without a new one for each command, and without waiting for one."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while said := await reader.read(1000):
            writer.write(b"+OK\r\n" * said.count(b"CLIENT") + b"$1\r\nx\r\n" * said.count(b"GET"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    redis = connect_redis(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", retries=0)
    assert [await redis.get("a") for _ in range(3)] == [b"x"] * 3
    assert connections == 1
    await redis.aclose()
    server.close()


async def test_errors_that_are_not_an_outage_stay_what_they_are() -> None:
    """A command on a key of another type is redis-py's own error."""
    redis = connect_redis("embedded://")
    await redis.set("a", "text")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await redis.execute_command("LPUSH", "a", "x")


async def test_embedded_servers_are_apart_unless_named() -> None:
    """``embedded://`` is a server of one's own; ``embedded://NAME`` is the same one for all in the process."""
    mine, yours = connect_redis("embedded://"), connect_redis("embedded://")
    await mine.set("a", "1")
    assert await yours.get("a") is None
    here, there = connect_redis("embedded://shared-by-this-test"), connect_redis("embedded://shared-by-this-test")
    await here.set("a", "1")
    assert await there.get("a") == b"1"


async def test_clients_of_one_embedded_redis_see_the_same() -> None:
    """Each client of an EmbeddedRedis sees what another wrote, and closing one closes no other."""
    embedded = EmbeddedRedis()
    one, two = RedisClient.over(embedded.pool()), RedisClient.over(embedded.pool())
    await one.set("a", "1")
    await one.aclose()
    assert await two.get("a") == b"1"


def test_no_two_keys_of_erleah_are_the_same() -> None:
    """Every key function gives a name of its own, under Erleah's prefix."""
    made = []
    for name in redis_keys.__all__:
        function = getattr(redis_keys, name)
        if inspect.isfunction(function):
            made.append(function(*["x"] * len(inspect.signature(function).parameters)))
    assert len(made) >= 10
    assert len(set(made)) == len(made)
    assert all(key.startswith("erleah:") for key in made)

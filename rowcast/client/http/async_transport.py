"""AsyncTransport: carries out the steps of a call and awaits each. Files are read and written in a thread.

If the task is cancelled, the request is abandoned and its connection closed. A read or write of a file that is under
way in a thread ends first, so that nothing uses a file that the call has closed. Only a read from a
pipe is left behind.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any

import httpx

from rowcast.client.http.endpoint import Endpoint
from rowcast.client.http.steps import Pause, Receive, Run, Send, SendUpload, Step, Steps, Value
from rowcast.client.upload import EarlyResponse, Upload


class AsyncTransport(Endpoint):
    """The connections to one endpoint. The tasks of one event loop may share them; each event loop has its own.

    A connection works only in the event loop that opened it, for example in one `asyncio.run`.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        #: By event loop, and by the number of connections that stay open (None is any number).
        self._clients: dict[asyncio.AbstractEventLoop, dict[int | None, httpx.AsyncClient]] = {}

    async def run(self, steps: Steps[Value]) -> Value:
        """Runs a call to its end and returns its value. Raises what the call raises."""
        try:
            step = next(steps)
            while True:
                try:
                    result = await self._done(step)
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            value: Value = end.value
            return value

    async def close(self) -> None:
        """Closes the connections of this event loop. The next request opens new ones."""
        for client in self._clients.pop(asyncio.get_running_loop(), {}).values():
            await client.aclose()

    async def _done(self, step: Step) -> Any:
        """Carries out one step and returns its result."""
        match step:
            case Send():
                return await self._send(step)
            case SendUpload():
                return await self._send_upload(step)
            case Receive():
                return await self._receive(step)
            case Pause():
                return await asyncio.sleep(step.seconds)
            case Run():
                return await _in_thread(step.function)

    async def _send(self, step: Send) -> httpx.Response:
        with self.http_errors():
            return await self._http.request(
                step.method,
                step.url,
                params=step.params,
                content=step.content,
                headers=step.headers,
                timeout=step.timeout,
            )

    async def _send_upload(self, step: SendUpload) -> httpx.Response:
        watch = step.upload.watch()

        async def trace(event: str, info: dict[str, Any]) -> None:
            watch.trace(event, info)

        async with aclosing(_blocks(step.upload, watch, step.start)) as body:
            with self.http_errors():
                return await self._uploads.request(
                    step.method,
                    step.url,
                    params=step.params,
                    headers=step.headers,
                    content=body,
                    timeout=step.timeout,
                    extensions={"trace": trace},
                )

    async def _receive(self, step: Receive) -> None:
        async with AsyncExitStack() as opened:
            opened.enter_context(self.http_errors(step.url if step.is_elsewhere else None))
            http = self._http
            if step.is_elsewhere:
                http = await opened.enter_async_context(httpx.AsyncClient(**self.options_elsewhere(step.url)))
            stream = http.stream("GET", step.url, headers=step.headers, timeout=step.timeout)
            answer = await opened.enter_async_context(stream)
            if answer.is_error:
                await answer.aread()
            await _in_thread(step.begin, answer)
            async for block in answer.aiter_bytes():
                await _in_thread(step.write, block)
                step.wrote()

    @property
    def _http(self) -> httpx.AsyncClient:
        return self._client(keepalive=None)

    @property
    def _uploads(self) -> httpx.AsyncClient:
        """A client that opens a connection for each upload, so that `EarlyResponse` can watch it."""
        return self._client(keepalive=0)

    def _client(self, *, keepalive: int | None) -> httpx.AsyncClient:
        """Returns this event loop's client. `keepalive` connections stay open; None is any number."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients = {other: kept for other, kept in self._clients.items() if not other.is_closed()}
        clients = self._clients.setdefault(loop, {})
        if keepalive not in clients:
            clients[keepalive] = httpx.AsyncClient(**self.options(httpx.Limits(max_keepalive_connections=keepalive)))
        return clients[keepalive]


async def _blocks(upload: Upload, watch: EarlyResponse, start: int) -> AsyncGenerator[bytes]:
    """Yields the body from `start` on. The file is read in a thread; progress is reported in the event loop."""
    reading = upload.read_blocks(start)
    in_thread = _in_thread if upload.repeatable else asyncio.to_thread  # a pipe may have no data for hours
    done = start
    try:
        while block := await in_thread(next, reading, b""):
            watch.refuse_if_answered()
            yield block
            done += len(block)
            upload.on_progress(done, upload.length_bytes)
    finally:
        with suppress(ValueError):  # a read from a pipe is still under way
            reading.close()


async def _in_thread(function: Callable[..., Value], *arguments: Any) -> Value:
    """Calls a function in a thread. If the task is cancelled, waits for the function first."""
    call = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait([call])
        raise

"""Transport: carries out the steps of a call and blocks until each is done."""

import os
import time
from contextlib import ExitStack
from typing import Any

import httpx

from rowcast.client.http.endpoint import Endpoint
from rowcast.client.http.steps import Pause, Receive, Run, Send, SendUpload, Step, Steps, Value


class Transport(Endpoint):
    """The connections to one endpoint. Threads may share them.

    A forked process opens its own. On the connections of its parent, both would read the answers of the other.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        #: By process id and the number of connections that stay open (None is any number).
        self._clients: dict[tuple[int, int | None], httpx.Client] = {}

    def run(self, steps: Steps[Value]) -> Value:
        """Runs a call to its end and returns its value. Raises what the call raises."""
        try:
            step = next(steps)
            while True:
                try:
                    result = self._done(step)
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            value: Value = end.value
            return value

    def close(self) -> None:
        """Closes the connections. The next request opens new ones."""
        for key in list(self._clients):
            client = self._clients.pop(key, None)
            if client is not None and key[0] == os.getpid():
                client.close()

    def _done(self, step: Step) -> Any:
        """Carries out one step and returns its result."""
        match step:
            case Send():
                return self._send(step)
            case SendUpload():
                return self._send_upload(step)
            case Receive():
                return self._receive(step)
            case Pause():
                return time.sleep(step.seconds)
            case Run():
                return step.function()

    def _send(self, step: Send) -> httpx.Response:
        with self.http_errors():
            return self._http.request(
                step.method,
                step.url,
                params=step.params,
                content=step.content,
                headers=step.headers,
                timeout=step.timeout,
            )

    def _send_upload(self, step: SendUpload) -> httpx.Response:
        watch = step.upload.watch()
        with self.http_errors():
            return self._uploads.request(
                step.method,
                step.url,
                params=step.params,
                headers=step.headers,
                content=step.upload.blocks(watch, step.start),
                timeout=step.timeout,
                extensions={"trace": watch.trace},
            )

    def _receive(self, step: Receive) -> None:
        with ExitStack() as opened:
            opened.enter_context(self.http_errors(step.url if step.is_elsewhere else None))
            http = self._http
            if step.is_elsewhere:
                http = opened.enter_context(httpx.Client(**self.options_elsewhere(step.url)))
            answer = opened.enter_context(http.stream("GET", step.url, headers=step.headers, timeout=step.timeout))
            if answer.is_error:
                answer.read()
            step.begin(answer)
            for block in answer.iter_bytes():
                step.write(block)
                step.wrote()

    @property
    def _http(self) -> httpx.Client:
        return self._client(keepalive=None)

    @property
    def _uploads(self) -> httpx.Client:
        """A client that opens a connection for each upload, so that `EarlyResponse` can watch it."""
        return self._client(keepalive=0)

    def _client(self, *, keepalive: int | None) -> httpx.Client:
        """Returns this process's client. `keepalive` connections stay open; None is any number."""
        key = (os.getpid(), keepalive)
        client = self._clients.get(key)
        if client is None:
            for other in [other for other in list(self._clients) if other[0] != os.getpid()]:
                self._clients.pop(other, None)  # those of the process that was forked
            limits = httpx.Limits(max_keepalive_connections=keepalive)
            client = self._clients.setdefault(key, httpx.Client(**self.options(limits)))  # threads get the same one
        return client

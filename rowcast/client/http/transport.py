"""Transport: carries out the steps of a call and blocks until each is done."""

import time
from functools import cached_property
from typing import Any

import httpx

from rowcast.client.http.endpoint import Endpoint
from rowcast.client.http.steps import Pause, Receive, Run, Send, SendUpload, Step, Steps, Value


class Transport(Endpoint):
    """The connections to one endpoint. Threads may share them."""

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
        for name in ("_http", "_uploads"):
            client = self.__dict__.pop(name, None)
            if client is not None:
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
        with (
            self.http_errors(),
            self._http.stream("GET", step.url, headers=step.headers, timeout=step.timeout) as answer,
        ):
            if answer.is_error:
                answer.read()
            step.begin(answer)
            for block in answer.iter_bytes():
                step.write(block)
                step.wrote()

    @cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(**self.options(httpx.Limits()))

    @cached_property
    def _uploads(self) -> httpx.Client:
        """A client that opens a connection for each upload, so that `EarlyResponse` can watch it."""
        return httpx.Client(**self.options(httpx.Limits(max_keepalive_connections=0)))

"""Drives steps: sends, waits, and sees to it that no fault of daxlite's own costs the application its answer."""

from msgspec import Struct

from ..cache.cache import Cache
from ..core.not_cacheable import NotCacheable
from ..core.operations import CACHED_READS, classify
from .steps import Params, Response, Send, Steps, Wait


def run(cache: Cache, operation: str, params: Params, steps: Steps, send: Send) -> Response:
    """The response that the steps end with. DynamoDB's errors are raised as they are; others are faults."""
    progress = Progress(operation)
    try:
        return _drive(steps, send, progress)
    except BaseException as error:
        if error is progress.error:
            raise
        fault = error
    # Outside of the handler, so that DynamoDB's own error is not chained to a fault that is none of the application's.
    return progress.rescue(cache, params, fault, send)


def _drive(steps: Steps, send: Send, progress: "Progress") -> Response:
    try:
        step = next(steps)
        while True:
            if isinstance(step, Wait):
                try:
                    step.flight.wait()
                except BaseException as error:  # noqa: BLE001 - the application's own, from a signal handler
                    progress.failed(error)
                    step = steps.throw(error)
                else:
                    step = steps.send({})
                continue
            is_own = step.operation == progress.operation
            progress.is_sent = progress.is_sent or is_own
            try:
                response = send(step.operation, step.params)
            except BaseException as error:  # noqa: BLE001 - a write that Ctrl-C interrupts may be applied
                if is_own:
                    progress.failed(error)
                step = steps.throw(error)
            else:
                if is_own:
                    progress.answer, progress.error = response, None
                step = steps.send(response)
    except StopIteration as finished:
        answer: Response = finished.value
        return answer
    finally:
        steps.close()


class Progress(Struct, eq=False):
    """What has come of the application's own call so far, for the case that daxlite fails on the way."""

    operation: str
    answer: Response | None = None
    error: BaseException | None = None
    is_sent: bool = False

    def __repr__(self) -> str:
        return f"<progress: {self.operation}>"  # without what came of it, which is not for logs

    def failed(self, error: BaseException) -> None:
        """An error that is the application's own."""
        self.answer, self.error = None, error

    def rescue(self, cache: Cache, params: Params, fault: BaseException, send: Send) -> Response:
        """DynamoDB's answer or error, if there was one; else send the call as the application made it.

        What was to be stored or dropped may not have been, so everything goes. A read that was only not understood has
        done no harm.
        """
        is_read = self.operation in CACHED_READS
        may_change = classify(self.operation) in ("write", "table change")
        drop = cache.invalidate_all if may_change and self.is_sent else cache.clear
        if not isinstance(fault, Exception):
            drop()
            raise fault  # Ctrl-C, between a reply and what should have followed from it
        if not isinstance(fault, NotCacheable):
            cache.fault(fault)
        if not (is_read and isinstance(fault, NotCacheable)):
            drop()
        if self.error is not None:
            raise self.error
        # A batch that the cache answered in part has only the other part here.
        if self.answer is not None and self.operation != "BatchGetItem":
            return self.answer
        if self.is_sent and not is_read:
            raise fault  # interrupted as the reply came: nobody knows the outcome, and a write must not be sent twice
        try:
            return send(self.operation, params)
        finally:
            if may_change:
                cache.invalidate_all()

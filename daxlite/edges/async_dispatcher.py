"""Makes the calls of one wrapped client for asyncio: plans each, and has a driver take its steps."""

# twin: leave out
import asyncio

# twin: end
from typing import Final

from ..calls.context import Context
from ..calls.hearing import hearing, listeners_here
from ..calls.planning import plan_heard, plan_rewritten, unplanned
from ..calls.registry import REGISTRY, Operation, operation_of
from ..calls.rescue import rescue
from ..core.steps import Params, Response, Steps
from ..drivers.asyncio import AsyncioDriver, AsyncSend
from ..drivers.progress import Progress
from .hooks import Hooks

_row: Final = REGISTRY.get


class AsyncDispatcher:
    """Makes the calls of one wrapped client, for asyncio."""

    def __init__(
        self, context: Context, send: AsyncSend, *, plain: AsyncSend | None = None, hooks: Hooks | None = None
    ) -> None:
        """send: makes a call, and raises BrokenReply for a response that did not arrive whole. plain: makes a call of
        which nothing follows for the cache. hooks: the client's; None if it has none."""
        self.context = context
        self._plain = send if plain is None else plain
        self._hooks = hooks
        self._driver = AsyncioDriver(send)

    async def call(self, operation: str, params: Params) -> Response:
        """The response that the plain client could have given, from the cache where it has it."""
        row = _row(operation) or operation_of(operation)
        hooks = self._hooks
        if hooks is not None:
            if hooks.seen is not hooks.emitter._lookup_cache:  # a hook was added or removed, or a mock may answer
                self.context = hooks.context(self.context)
            if hooks.rewritten.get(operation, True) and hooks.rewrite(operation):
                return await self._run(row, params, plan_rewritten(self.context, row, params))
        if hearing and row.depends_on is not None and listeners_here():
            return await self._run(row, params, plan_heard(self.context, row, params))
        if row.plan is None:
            response: Response = await self._plain(operation, params)
            return response
        try:  # as `planning.plan`, without that call: this is the way of each hit
            planned = row.plan(self.context, params)
        except Exception as error:  # noqa: BLE001 - sorted out there
            planned = unplanned(self.context, row, params, error)
        except BaseException:  # of a signal handler's, in the middle of a change of the cache; nothing was sent
            self.context.cache.invalidate_all(everywhere=False)
            raise
        if isinstance(planned, dict):  # a hit is here already; only what has to be sent takes steps
            return planned
        if planned is not None:
            return await self._run(row, params, planned)
        response = await self._plain(operation, params)
        return response  # noqa: RET504 - typed

    async def _run(self, row: Operation, params: Params, steps: Steps[Response]) -> Response:
        """Take the steps. DynamoDB's errors are raised as they are; all others are faults of daxlite's."""
        progress = Progress(row.name)
        try:
            return await self._driver.drive(steps, progress)
        except BaseException as error:
            if error is progress.error:
                raise
            # twin: leave out
            if isinstance(error, GeneratorExit) and not row.may_change:
                raise  # a read that was left where it waited has done no harm
            # twin: end
            fault = error
        # Outside of the handler, so that DynamoDB's own error is not chained to a fault that is none of the
        # application's.
        rescued = rescue(
            self.context,
            row,
            params,
            fault,
            replies=progress.replies,
            error=progress.error,
            is_sent=progress.is_sent,
        )
        # twin: leave out
        interruption = fault if isinstance(fault, asyncio.CancelledError | GeneratorExit) else None
        return await self._driver.drive(rescued, interruption=interruption)
        # twin: put in
        # return self._driver.drive(rescued)
        # twin: end

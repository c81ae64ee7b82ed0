"""Random programs beside a Lambda function on a DynamoDB stream: own writes are excused, failed batches come again."""

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from daxlite.feeds import lambda_handler
from tests.feeds.observing import Program, Step, programs
from tests.feeds.shop import Shop

BRINGS: st.SearchStrategy[Step] = st.tuples(st.just("bring"), st.integers(1, 4), st.booleans())
"""So many of the next records; or with those before them once more, as after a function that ended too early."""
FAILS: st.SearchStrategy[Step] = st.tuples(st.just("fail"), st.integers(0, 6), st.booleans())
"""This command to Redis, of the next batch; and whether each batch ends the process from here on."""


@given(programs(BRINGS, BRINGS, FAILS))
@example(
    [
        ("write", 1, 2),
        ("bring", 1, False),  # it is announced
        ("wait", 6, None),
        ("own", 2, 2),  # the writer learns of it
        ("own", 1, 3),  # and leaves an excuse
        ("fail", 1, True),
        ("bring", 2, False),
        ("write", 1, 2),
        ("own", 1, 3),
        ("read", 1, 1),
        ("write", 1, 2),
        ("write", 1, 3),
        ("bring", 4, True),
    ]
)
def test_p6_records_in_order_converge(one_shop: Shop, steps: Sequence[Step]) -> None:
    shop, program = one_shop, Program(one_shop)
    handler = lambda_handler(shop.feed, client=shop.raw)
    place, fails, is_new = 0, None, False

    def bring(count: int, *, is_again: bool) -> None:
        nonlocal place, fails, is_new, handler
        first = max(0, place - 2) if is_again else place
        batch = shop.records[first : place + count]
        if fails is not None:
            shop.server.fail_at(fails)
        response = handler({"Records": batch})
        shop.server.failing, fails = lambda command: None, None
        if not response["batchItemFailures"]:
            place = min(place + count, len(shop.records))
        if is_new:
            handler = lambda_handler(shop.process(), client=shop.raw)

    for step in steps:
        kind, what, more = step
        match kind:
            case "bring":
                bring(what, is_again=more)
            case "fail":
                fails, is_new = what, more
            case _:
                program.take(step)
    while place < len(shop.records):
        bring(1, is_again=False)
        program.look()
    program.check()

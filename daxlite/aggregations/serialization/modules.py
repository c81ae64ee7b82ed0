"""The name of a module, the same in all processes of a program.

A program's own file is `__main__` where it is started, and `__mp_main__` in the processes that multiprocessing starts;
elsewhere it may be imported by its name.
"""

import sys
from pathlib import Path
from typing import Any


def module_of(thing: Any) -> str:
    """The module in which a function or a class is defined.

    >>> import decimal
    >>> module_of(decimal.Decimal)
    'decimal'
    """
    name = getattr(thing, "__module__", None) or ""
    if name not in ("__main__", "__mp_main__"):
        return name
    main = sys.modules.get(name)
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    return spec.name if spec is not None else Path(file).stem if file else name

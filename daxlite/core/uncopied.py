"""What cannot be copied or pickled: it has locks, connections or threads, and a copy would share a part of them."""

from typing import NoReturn


class Uncopied:
    """Refuses `copy.copy`, `copy.deepcopy` and `pickle`, which all ask for this.

    >>> import copy
    >>> copy.copy(Uncopied())
    Traceback (most recent call last):
    TypeError: cannot copy or pickle an object of Uncopied, which has locks, ...
    """

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"cannot copy or pickle an object of {type(self).__name__}, which has locks, connections or threads of its "
            "own; share it in this process, and make another one in each other process"
        )

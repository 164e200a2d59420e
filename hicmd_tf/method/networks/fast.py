"""Operations that stand here in `keras.ops`, for every backend and device, and that an engine may compute faster.

The plain form is the definition; an engine's gives the same values and gradients. Nothing here imports an engine:
`hicmd_tf/__init__.py` names the module that has the forms of a backend.
"""

from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

SOURCES: dict[str, str] = {}
"""By Keras backend the module whose `FORMS` has the faster forms, by the name of the plain one."""


def replaceable(plain: Callable[P, R]) -> Callable[P, R]:
    """The function, but by the faster form of its name where there is one for the arguments.

    A form takes the same arguments, and returns NotImplemented to leave them to the plain one, which remains as
    `__wrapped__`.
    """

    @wraps(plain)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        form = _forms().get(plain.__name__)
        found = NotImplemented if form is None else form(*args, **kwargs)
        return plain(*args, **kwargs) if found is NotImplemented else found

    return call


@cache
def _forms() -> dict[str, Callable[..., Any]]:
    import keras  # here: `hicmd_tf/__init__.py` imports this module

    source = SOURCES.get(keras.backend.backend())
    return {} if source is None else import_module(source).FORMS

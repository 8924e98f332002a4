"""Values: frozen, slotted, compared by content; what a dataclass gives, without the import that costs one.

The prompt hook imports these classes on every prompt, and `import dataclasses` alone takes 3.3 times as long as
a bare interpreter. Type checkers see `Value` as a frozen, keyword-only dataclass.
"""

from __future__ import annotations

TYPE_CHECKING = False  # The typing module is not imported here either; type checkers know this name.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda cls: cls


@dataclass_transform(kw_only_default=True, frozen_default=True)
class ValueType(type):
    """Turns the annotations of a class body into slots and their right-hand sides into defaults."""

    def __new__(mcls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> ValueType:
        fields = _own_fields(body)
        inherited = {k: v for base in bases for k, v in getattr(base, "__defaults__", {}).items()}
        body["__defaults__"] = inherited | {field: body.pop(field) for field in fields if field in body}
        body["__slots__"] = fields
        cls = super().__new__(mcls, name, bases, body)
        before = tuple(field for base in bases for field in getattr(base, "__fields__", ()))
        cls.__fields__ = before + fields  # type: ignore[attr-defined]
        cls.__puts__ = tuple(getattr(cls, field).__set__ for field in cls.__fields__)  # type: ignore[attr-defined]
        return cls


def _own_fields(body: dict[str, Any]) -> tuple[str, ...]:
    annotations = body.get("__annotations__")
    if annotations is None:  # Python 3.14 keeps them behind a function
        annotate = body.get("__annotate_func__") or body.get("__annotate__")
        annotations = annotate(4) if annotate else {}
    return tuple(annotations)


class Value(metaclass=ValueType):
    """Base of all values. Fields are annotations, defaults their right-hand sides; construct by keyword."""

    if TYPE_CHECKING:
        __fields__: ClassVar[tuple[str, ...]]
        __defaults__: ClassVar[dict[str, Any]]
        __puts__: ClassVar[tuple[Callable[[Value, Any], None], ...]]  # what sets each field, past the freezing
    else:

        def __init__(self, **given):
            values = self.__defaults__ | given
            try:
                for field, put in zip(self.__fields__, self.__puts__, strict=True):
                    put(self, values[field])
            except KeyError:
                raise TypeError(f"{type(self).__name__} needs {field}") from None
            if len(values) != len(self.__fields__):
                unknown = sorted(given.keys() - set(self.__fields__))
                raise TypeError(f"{type(self).__name__} has no field {', '.join(unknown)}")

        def __setattr__(self, field, _value):
            raise AttributeError(f"{type(self).__name__}.{field} is frozen; use replace()")

    @classmethod
    def in_order(cls, values: Iterable[Any]) -> Self:
        """A value of all its fields in order of declaration: for rows of a table, by names it takes twice as long."""
        made = cls.__new__(cls)
        for put, value in zip(cls.__puts__, values, strict=True):
            put(made, value)
        return made

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return type(self)(**{field: getattr(self, field) for field in self.__fields__} | changes)

    def as_dict(self) -> dict[str, Any]:
        """Field names to values, in order of declaration."""
        return {field: getattr(self, field) for field in self.__fields__}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.as_dict().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.as_dict().items())})"

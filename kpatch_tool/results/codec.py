"""Values (dataclasses of this package) to JSON and back, by their type hints."""

from __future__ import annotations

import contextlib
import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Json: TypeAlias = Any  # what json.loads gives and json.dumps takes
Hint: TypeAlias = Any  # a type as get_type_hints gives it


def encode(value: object) -> Json:
    """`value` as what json.dumps takes: dataclasses become objects, tuples and sets lists, paths and dates strings,
    bytes Latin-1 strings.

    Raises TypeError for a value of any other kind.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(encode(item) for item in value)
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return _encode_text(value)


def _encode_text(value: object) -> str:
    if isinstance(value, Enum | str):  # a StrEnum is both
        return str(value.value) if isinstance(value, Enum) else value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"cannot encode {type(value).__name__}")


def decode(kind: type[T], data: object) -> T:
    """The value of type `kind` that `encode` made `data` of.

    Fields that `data` lacks take their default, fields it has too many are left out, so that an older or newer
    writer of the same store can be read. Raises ValueError when `data` does not fit.
    """
    try:
        value: T = _decode(kind, data)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a {getattr(kind, '__name__', kind)}: {error}") from error
    return value


def _decode(kind: Hint, data: Json) -> Json:
    container = _CONTAINERS.get(get_origin(kind))
    if container is not None:
        return container(get_args(kind), data)
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, _expect(data, dict))
    return _decode_plain(kind, data)


def _decode_plain(kind: Hint, data: Json) -> Json:
    if issubclass(kind, Enum):
        return kind(data)
    if kind is float:
        return float(_expect(data, (int, float)))
    if kind is bytes:
        return _expect(data, str).encode("latin-1")
    if kind is datetime:
        return datetime.fromisoformat(_expect(data, str))
    if kind is Path:
        return Path(_expect(data, str))
    return _expect(data, kind)


def _decode_union(arguments: tuple[Hint, ...], data: Json) -> Json:
    """The first of the types that `data` fits; they must not share values."""
    if data is None and types.NoneType in arguments:
        return None
    *others, last = (argument for argument in arguments if argument is not types.NoneType)
    for kind in others:
        with contextlib.suppress(ValueError):
            return _decode(kind, data)
    return _decode(last, data)


def _decode_tuple(arguments: tuple[Hint, ...], data: Json) -> tuple[Json, ...]:
    items = _expect(data, list)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_decode(arguments[0], item) for item in items)
    return tuple(_decode(kind, item) for kind, item in zip(arguments, items, strict=True))


def _decode_set(arguments: tuple[Hint, ...], data: Json) -> frozenset[Json]:
    return frozenset(_decode(arguments[0], item) for item in _expect(data, list))


def _decode_mapping(arguments: tuple[Hint, ...], data: Json) -> dict[Json, Json]:
    return {_decode(arguments[0], key): _decode(arguments[1], item) for key, item in _expect(data, dict).items()}


def _decode_dataclass(kind: Hint, data: dict[str, Json]) -> Json:
    hints = _hints(kind)
    return kind(**{name: _decode(hint, data[name]) for name, hint in hints.items() if name in data})


@cache
def _hints(kind: type) -> dict[str, Hint]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: hint for name, hint in get_type_hints(kind).items() if name in names}


def _expect(data: Json, kind: Hint) -> Json:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise ValueError(f"expected {kind}, found {data!r:.60}")
    return data


def _one_of(choices: tuple[Json, ...], data: Json) -> Json:
    if data not in choices:
        raise ValueError(f"expected one of {choices}, found {data!r:.60}")
    return data


_CONTAINERS: dict[Hint, Callable[[tuple[Hint, ...], Json], Json]] = {
    Union: _decode_union,
    types.UnionType: _decode_union,
    Literal: _one_of,
    tuple: _decode_tuple,
    frozenset: _decode_set,
    Mapping: _decode_mapping,
    dict: _decode_mapping,
}

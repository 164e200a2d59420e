"""How bytes, texts and trees of values are broken; each is drawn by hypothesis and says in words what it is."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

DEEP = 20_000  # levels, beyond any recursion limit


class Damage(NamedTuple):
    """One blow to bytes. at, length: shares of the whole, 0 to 1. content: what is put in."""

    how: str
    at: float
    length: float
    content: bytes

    def __str__(self) -> str:
        return f"{self.how} at {self.at:.4f} for {self.length:.4f} with {self.content[:12]!r}"

    def of(self, whole: bytes) -> bytes:
        """The bytes behind the blow."""
        start = min(int(self.at * len(whole)), max(0, len(whole) - 1))
        end = min(len(whole), start + 1 + int(self.length * len(whole)))
        if self.how == "cut":
            return whole[:start]
        if self.how == "flip":
            return (
                whole[:start]
                + bytes(b ^ (1 << (self.content[:1] or b"\1")[0] % 8) for b in whole[start : start + 1])
                + (whole[start + 1 :])
            )
        if self.how == "drop":
            return whole[:start] + whole[end:]
        if self.how == "repeat":
            return whole[:end] + whole[start:]
        if self.how == "insert":
            return whole[:start] + self.content + whole[start:]
        if self.how == "overwrite":
            return whole[:start] + self.content + whole[start + len(self.content) :]
        if self.how == "zeros":
            return whole[:start] + bytes(end - start) + whole[end:]
        return self.content  # replace


HOWS = ("cut", "flip", "drop", "repeat", "insert", "overwrite", "zeros", "replace")


def blows(*hows: str) -> SearchStrategy[list[Damage]]:
    """One to three of them, of the given kinds or of all."""
    share = st.floats(0, 1, exclude_max=True, width=32)
    one = st.builds(
        Damage, st.sampled_from(hows or HOWS), share, share.map(lambda x: x**3), st.binary(min_size=1, max_size=24)
    )
    return st.lists(one, min_size=1, max_size=3)


def broken(whole: bytes, damages: Sequence[Damage]) -> bytes:
    """The bytes behind all blows."""
    for damage in damages:
        whole = damage.of(whole)
    return whole


def told(damages: Sequence[Damage]) -> str:
    """In words."""
    return ", ".join(map(str, damages))


ODD_VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "-1": -1,
    "0": 0,
    "half": 0.5,
    "huge": 10**30,
    "hugest float": 1.7e308,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "empty text": "",
    "text": "seven",
    "number as text": "7",
    "NUL": "a\0b",
    "path out": "../../../etc/passwd",
    "markup": "<script>alert(1)</script>",
    "lone surrogate": "\ud800",
    "long text": "x" * 100_000,
    "empty list": [],
    "list": [1, "two", None],
    "list of lists": [[[[]]]],
    "empty mapping": {},
    "mapping": {"a": {"b": 1}},
    "many": list(range(5000)),
}


class Change(NamedTuple):
    """One change of a tree of mappings, lists and values. place: which of its nodes, a share of their number. how:
    drop, rename, or the name of an odd value."""

    place: float
    how: str

    def __str__(self) -> str:
        return f"{self.how} at node {self.place:.4f}"

    def of(self, tree: Any) -> Any:
        """A changed copy."""
        tree = json.loads(json.dumps(tree))
        nodes = list(_nodes(tree))
        if not nodes:
            return ODD_VALUES.get(self.how)
        parent, key = nodes[min(int(self.place * len(nodes)), len(nodes) - 1)]
        if self.how == "drop":
            del parent[key]
        elif self.how == "rename" and isinstance(parent, dict):
            parent[f"{key}_"] = parent.pop(key)
        else:
            parent[key] = ODD_VALUES.get(self.how)
        return tree


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or place) of a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items):
        yield tree, key
        yield from _nodes(value)


def changes() -> SearchStrategy[Change]:
    """Any of them."""
    share = st.floats(0, 1, exclude_max=True, width=32)
    return st.builds(Change, share, st.sampled_from(("drop", "rename", *ODD_VALUES)))


def json_texts() -> dict[str, bytes]:
    """Whole texts in place of a JSON file."""
    return {
        "nothing": b"",
        "null": b"null",
        "number": b"7",
        "text": b'"text"',
        "list": b"[]",
        "mapping": b"{}",
        "list of lists": b"[[1, 2], [3]]",
        "deep list": b"[" * DEEP + b"]" * DEEP,
        "deep mapping": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        "cut deep list": b"[" * DEEP,
        "huge number": b"1" + b"0" * 5000,
        "Latin-1": '{"a": "ä"}'.encode("latin-1"),
        "UTF-16": '{"a": 1}'.encode("utf-16"),
        "BOM": b"\xef\xbb\xbf{}",
        "NUL": b"{}\0",
        "binary": bytes(range(256)),
        "HTML": b"<!doctype html><html></html>",
    }

"""Requests to the server: bodies that are no JSON or not what a signature takes, other paths and methods."""

import base64
import json
from typing import Any

from hypothesis import strategies as st

from bench.fuzzing.cases import Input, Target
from bench.fuzzing.damage import DEEP, ODD_VALUES, blows, broken, changes, json_texts, told
from bench.fuzzing.server import ENTRY, Request, whole_body
from bench.fuzzing.targets.pictures import BASES, FILES

KIND = "request"

PATHS = (
    *(
        "/",
        "/v1",
        "/v1/models",
        "/v1/models/",
        "/v1/models/other",
        "/v1/models/hicmd:predict/x",
        "/v1/models/hicmd:train",
    ),
    *("/v1/models/hicmd/versions/99:predict", "/v1/models/hicmd/versions/x:predict", "/v1/models/..:predict", "/%00"),
    *(
        "/v1/models/hicmd/versions/" + "9" * 400 + ":predict",
        "/v1/models/%ff:predict",
        "/../../etc/passwd",
        "/" + "x" * 5000,
    ),
    *(
        "/v1/models/<script>:predict",
        "/v1/models/hicmd%0d%0aX:predict",
        "//",
        "/healthz/x",
        "/v1/models/hicmd:predict?x=1",
    ),
)
METHODS = ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW", "POST")
HEADERS: tuple[dict[str, str], ...] = (
    {"Content-Type": "text/html"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Encoding": "gzip"},
    {"Content-Length": "-1"},
    {"Content-Length": "many"},
    {"Content-Length": "9" * 30},
    {"Content-Length": "99999999999"},
    {"Transfer-Encoding": "chunked"},
    {"Transfer-Encoding": "odd"},
    {"X-Long": "x" * 100_000},
    {"Host": "\x7f"},
    {"Expect": "100-continue"},
)


def _request(what: str, body: bytes, method: str = "POST", path: str | None = None, **headers: str) -> Input:
    return Input(what, lambda *_: Request(method, path or "/v1/models/hicmd:predict", body, headers))


def _with_picture(name: str, content: bytes) -> Input:
    encoded = {"b64": base64.b64encode(content).decode()}
    body = {"signature_name": "visible_bytes", "inputs": {"picture_bytes": [encoded]}}
    return _request(f"a picture, {name}", json.dumps(body).encode())


def _by_hand() -> list[Input]:
    bodies: dict[str, Any] = {
        "no rows": {"signature_name": "visible_bytes", "inputs": {"picture_bytes": []}},
        "too many rows": {"signature_name": "visible_bytes", "inputs": {"picture_bytes": [""] * 300}},
        "no base64": {"signature_name": "visible_bytes", "inputs": {"picture_bytes": [{"b64": "*"}]}},
        "base64 of a number": {"signature_name": "visible_bytes", "inputs": {"picture_bytes": [{"b64": 7}]}},
        "base64 of no ASCII": {"signature_name": "visible_bytes", "inputs": {"picture_bytes": [{"b64": "é"}]}},
        "a lone surrogate": {"signature_name": "visible_bytes", "inputs": {"picture_bytes": ["\ud800"]}},
        "a ragged array": {"signature_name": "visible", "inputs": {"pictures": [[[[1, 2, 3]], [[1, 2]]]]}},
        "numbers beyond uint8": {"signature_name": "visible", "inputs": {"pictures": [[[[1, 2, 300]]]]}},
        "halves": {"signature_name": "visible", "inputs": {"pictures": [[[[1, 2, 0.5]]]]}},
        "no pixels": {"signature_name": "visible", "inputs": {"pictures": [[[]]]}},
        "both layouts": {"instances": [], "inputs": []},
        "modality of one, pictures of two": {
            "inputs": {"pictures": [[[[1, 2, 3]]], [[[1, 2, 3]]]], "modality": ["visible"]}
        },
        "another modality": {"inputs": {"pictures": [[[[1, 2, 3]]]], "modality": ["radar"]}},
        "modality in bytes": {"inputs": {"pictures": [[[[1, 2, 3]]]], "modality": [{"b64": "/w=="}]}},
        "a huge picture": {"signature_name": "visible", "inputs": {"pictures": [[[[0, 0, 0]] * 1000] * 1]}},
        "instances of two kinds": {"signature_name": "visible", "instances": [{"pictures": 1}, 2]},
        "an instance without names": {"instances": [1, 2]},
        "numbers too large for any array": {"signature_name": "visible", "inputs": {"pictures": [10**400]}},
        "33 dimensions": {"signature_name": "visible", "inputs": {"pictures": json.loads("[" * 70 + "1" + "]" * 70)}},
        "a signature that is a list": {"signature_name": ["visible"], "inputs": []},
        "a signature of a million letters": {"signature_name": "x" * 1_000_000, "inputs": []},
    }
    found = [_request(name, json.dumps(body).encode()) for name, body in bodies.items()]
    found += [_request(f"a body of {name}", text) for name, text in json_texts().items()]
    nested = b'{"signature_name": "visible", "inputs": {"pictures": ' + b"[" * DEEP + b"]" * DEEP + b"}}"
    found.append(_request("deep pictures", nested))
    found.append(_request("NaN pixels", b'{"signature_name": "visible", "inputs": {"pictures": [[[[NaN, 1, 2]]]]}}'))
    found.append(_request("infinite pixels", b'{"signature_name": "visible", "inputs": {"pictures": [[[[1e999]]]]}}'))
    found += [_with_picture(name, content) for name, content in FILES.items()]
    found += [_request(f"path {path[:60]!r}", whole_body(), "POST", path) for path in PATHS]
    found += [_request(f"method {method}", whole_body(), method) for method in METHODS[:-1]]
    found += [
        Input(
            f"headers {str(of)[:60]}", lambda *_, of=of: Request("POST", "/v1/models/hicmd:predict", whole_body(), of)
        )  # type: ignore[misc]
        for of in HEADERS
    ]
    return found


def targets() -> list[Target]:
    """One server, which must answer a good request behind each bad one."""
    bodies = st.builds(
        lambda change: _request(str(change), json.dumps(change.of(json.loads(whole_body()))).encode()), changes()
    )
    damaged = blows().map(lambda damages: _request(told(damages), broken(whole_body(), damages)))
    pictures = st.builds(
        lambda form, damages: _with_picture(f"{form}: {told(damages)}", broken(BASES[form], damages)),
        st.sampled_from([*BASES]),
        blows("cut", "flip", "drop", "zeros", "replace"),
    )
    pixels = st.recursive(
        st.sampled_from([*ODD_VALUES.values()]), lambda inner: st.lists(inner, max_size=3), max_leaves=8
    )
    arrays = pixels.map(
        lambda value: _request(
            f"pictures {str(value)[:60]}",
            json.dumps({"signature_name": "visible", "inputs": {"pictures": value}}).encode(),
        )
    )
    return [Target(ENTRY, KIND, 6.0, st.one_of(bodies, damaged, pictures, arrays), _by_hand())]

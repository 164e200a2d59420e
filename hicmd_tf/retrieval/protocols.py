"""How the field's protocols judge a ranking: which gallery pictures a query may not see, and what CMC counts."""

from typing import Literal, NamedTuple

from hicmd_tf.errors import UserError

ProtocolName = Literal["regdb", "sysu", "llcm", "market1501"]


class Protocol(NamedTuple):
    """hides: gallery pictures that a query may not see; "shared place": all by camera 2 from a query by camera 3, which
    stand in one place (SYSU-MM01's cameras), whoever they show; "own camera": those of its identity by its camera.

    cmc_over: "pictures", a hit at k when the first match is among the first k pictures; "identities", when its identity
    is among the first k distinct ones. AP and INP count pictures under either.
    """

    hides: Literal["nothing", "shared place", "own camera"]
    cmc_over: Literal["pictures", "identities"]


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "regdb": Protocol("nothing", "pictures"),
    "sysu": Protocol("shared place", "identities"),
    "llcm": Protocol("own camera", "identities"),
    "market1501": Protocol("own camera", "pictures"),
}

SHARED_PLACE = 3, 2
"""Camera of the query, camera that is hidden from it."""


def protocol(name: str) -> Protocol:
    """The rules by name. Raises UserError on another name."""
    if name not in PROTOCOLS:
        raise UserError(f"protocol is {name!r}: expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]  # type: ignore[index]  # looked up a line above

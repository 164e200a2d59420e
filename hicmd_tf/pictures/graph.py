"""The decoder of exported graphs: the same pixels as `pictures.decode`, of JPEG and PNG files, or a refusal.

What TensorFlow decodes otherwise than Pillow, or not at all, is refused: `pictures.decode.simple` makes a PNG of it,
and who asks a server by this package's client sends that. Regular expressions find what stands in a file, as a graph
can walk through one only byte by byte; what they look for is long enough not to be found by accident.
"""

import tensorflow as tf

from hicmd_tf.pictures.sixteen_bit import Range, levels, range_of

EXIF_ORIENTATION = 0x0112
BYTE, SHORT, LONG = 1, 3, 4
LENGTHS = {BYTE: 1, SHORT: 2, LONG: 4}
LITTLE_ENDIAN = ord("I")
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
DEPTH, COLOUR = 24, 25  # places in a PNG's head
GREY, GREY_ALPHA = 0, 4  # its kinds of colour
EXIF = r"^\C*?(?:Exif\x00\x00|eXIf)(II\*\x00|MM\x00\*)"
XMP = r"^\C*?tiff:Orientation(?:=\"|>)([0-9])\C*$"
# An animation of other than one frame; EXIF as hexadecimal text; XMP that is compressed; none of it is read here.
MOVING = r"\C*\x00\x00\x00\x08acTL\C*"
HIDDEN = r"\C*(?:Raw profile type exif\x00|XML:com\.adobe\.xmp\x00\x01)\C*"
ADVICE = "send it as a plain PNG, as hicmd describe does"
NEITHER = f"picture_bytes holds a file that is neither JPEG nor PNG: {ADVICE}"
ODD = f"picture_bytes holds a PNG with several frames, or with EXIF or XMP as compressed text: {ADVICE}"
NO_RANGE = (
    "picture_bytes holds a grey PNG of 16 bits, and data.sixteen_bit of this model's run is empty, which says what is "
    "black and white: send 8 bits"
)
DEEP_ALPHA = "picture_bytes holds a grey PNG of 16 bits with alpha: send it without alpha"


def decode(encoded: tf.Tensor, sixteen_bit: str = "") -> tf.Tensor:
    """A JPEG or PNG (scalar string) -> uint8 (H, W, 3) in its own size, upright. sixteen_bit: as the setting.

    The graph raises InvalidArgumentError for what it can't decode as Pillow does.
    """
    jpeg, png = (tf.equal(tf.strings.substr(encoded, 0, len(start)), start) for start in (JPEG, PNG))
    with tf.control_dependencies([tf.debugging.Assert(jpeg | png, [NEITHER])]):
        picture = tf.cond(
            jpeg,
            lambda: tf.io.decode_jpeg(encoded, 3, dct_method="INTEGER_ACCURATE"),
            lambda: _png(encoded, range_of(sixteen_bit)),
        )
    return _turned(picture, orientation(encoded))


def _png(encoded: tf.Tensor, sixteen: Range | None) -> tf.Tensor:
    odd = tf.strings.regex_full_match(encoded, MOVING) | tf.strings.regex_full_match(encoded, HIDDEN)
    with tf.control_dependencies([tf.debugging.Assert(tf.logical_not(odd), [ODD])]):
        head = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, 0, COLOUR + 1), tf.uint8), tf.int32)
    depth, colour = (_number(head, place, 1, False) for place in (DEPTH, COLOUR))
    deep = tf.equal(depth, 16) & tf.equal(colour, GREY)
    deep_alpha = tf.equal(depth, 16) & tf.equal(colour, GREY_ALPHA)
    with tf.control_dependencies([tf.debugging.Assert(tf.logical_not(deep_alpha), [DEEP_ALPHA])]):
        encoded = tf.identity(encoded)
    return tf.cond(deep, lambda: _deep(encoded, sixteen), lambda: tf.io.decode_png(encoded, 3))


def _deep(encoded: tf.Tensor, sixteen: Range | None) -> tf.Tensor:
    """A grey PNG of 16 bits by its range, as `Range.shown` does it."""
    if sixteen is None:
        with tf.control_dependencies([tf.debugging.Assert(False, [NO_RANGE])]):
            return tf.zeros((1, 1, 3), tf.uint8)
    counts = tf.cast(tf.io.decode_png(encoded, 1, tf.uint16), tf.int64)
    low, high = tf.constant(sixteen.low, tf.int64), tf.constant(sixteen.high, tf.int64)
    if sixteen.own:
        sorted_counts = tf.sort(tf.reshape(counts, [-1]))
        count = tf.size(sorted_counts, tf.int64)
        low, high = (tf.gather(sorted_counts, sixteen.place(part, count)) for part in (low, high))
    found = tf.clip_by_value(levels(counts, low, tf.maximum(high - low, 1)), 0, 255)
    return tf.repeat(tf.cast(found, tf.uint8), 3, -1)


def _turned(picture: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """A decoded picture (H, W, 3), turned as its file says: 90 degrees make it (W, H, 3)."""
    picture = tf.cond(_among(value, 5, 6, 7, 8), lambda: tf.transpose(picture, (1, 0, 2)), lambda: picture)
    picture = tf.cond(_among(value, 2, 3, 6, 7), lambda: tf.reverse(picture, [1]), lambda: picture)
    return tf.cond(_among(value, 3, 4, 7, 8), lambda: tf.reverse(picture, [0]), lambda: picture)


def orientation(encoded: tf.Tensor) -> tf.Tensor:
    """The orientation of a file (scalar string) by EXIF or, where that has none, XMP: 1, upright, where none is given;
    what is not among 2 to 8 is upright, too."""
    block = tf.strings.regex_replace(encoded, EXIF, r"\1", replace_global=False)
    there = tf.not_equal(tf.strings.length(block), tf.strings.length(encoded))
    value = tf.cond(there, lambda: _of_exif(block), lambda: 0)
    return tf.cond(tf.equal(value, 0), lambda: _of_xmp(encoded), lambda: value)


def _of_exif(block: tf.Tensor) -> tf.Tensor:
    """The orientation of an EXIF block, a TIFF's head and directory; 0 where it has none."""
    octets = tf.cast(tf.io.decode_raw(tf.strings.substr(block, 0, 1 << 16), tf.uint8), tf.int32)
    little = tf.equal(_at(octets, tf.constant(0)), LITTLE_ENDIAN)
    directory = _number(octets, tf.constant(4), 4, little)
    entries = directory + 2 + 12 * tf.range(tf.minimum(_number(octets, directory, 2, little), 512))
    wanted = tf.equal(_number(octets, entries, 2, little), EXIF_ORIENTATION)
    wanted &= tf.equal(_number(octets, entries + 4, 4, little), 1)
    entry = tf.reduce_max(tf.where(wanted, entries, -1))  # of several the last
    kind = _number(octets, entry + 2, 2, little)
    value = sum(
        tf.where(tf.equal(kind, k), _number(octets, entry + 8, length, little), 0) for k, length in LENGTHS.items()
    )
    return tf.where(entry >= 0, value, 0)


def _of_xmp(encoded: tf.Tensor) -> tf.Tensor:
    found = tf.strings.regex_replace(encoded, XMP, r"\1", replace_global=False)
    return tf.cond(
        tf.strings.regex_full_match(found, "[0-9]"), lambda: tf.strings.to_number(found, tf.int32), lambda: 1
    )


def _number(octets: tf.Tensor, place: tf.Tensor | int, length: int, little: tf.Tensor | bool) -> tf.Tensor:
    """Unsigned numbers of so many bytes at places, as int32; one of four bytes is small, or of no use."""
    powers = [256**i for i in range(length)]
    weights = tf.where(little, tf.constant(powers), tf.constant(powers[::-1]))
    return tf.reduce_sum(_at(octets, tf.expand_dims(place, -1) + tf.range(length)) * weights, -1)


def _at(octets: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """The bytes at places; 0 outside of the file."""
    last = tf.size(octets) - 1
    return tf.where((place >= 0) & (place <= last), tf.gather(octets, tf.clip_by_value(place, 0, last)), 0)


def _among(value: tf.Tensor, *choices: int) -> tf.Tensor:
    return tf.reduce_any(tf.equal(value, tf.constant(choices)))

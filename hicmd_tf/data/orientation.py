"""Photographs that lie on their side, turned upright: the EXIF orientation of JPEG files, read in the graph.

TensorFlow's decoder ignores it. Here it is read from the file's first bytes, so that a served model turns pictures as
training and evaluation do.
"""

import tensorflow as tf

HEAD = 1 << 17  # bytes; the EXIF block stands before the pixels and holds 64 KiB at most
APP1, SCAN = 0xE1, 0xDA  # markers of segments: where EXIF lies, where the pixels begin
EXIF = tuple(b"Exif\0\0")
ORIENTATION = 0x0112
LITTLE_ENDIAN = ord("I")


def upright(picture: tf.Tensor, encoded: tf.Tensor) -> tf.Tensor:
    """A decoded picture (H, W, 3), turned as its file (scalar string) says: 90 degrees make it (W, H, 3)."""
    jpeg = tf.equal(tf.strings.substr(encoded, 0, 2), b"\xff\xd8")
    value = tf.cond(jpeg, lambda: orientation(encoded), lambda: 1)
    picture = tf.cond(value >= 5, lambda: tf.transpose(picture, (1, 0, 2)), lambda: picture)
    picture = tf.cond(_among(value, 2, 3, 6, 7), lambda: tf.reverse(picture, [1]), lambda: picture)
    return tf.cond(_among(value, 3, 4, 7, 8), lambda: tf.reverse(picture, [0]), lambda: picture)


def orientation(encoded: tf.Tensor) -> tf.Tensor:
    """The EXIF orientation of a JPEG (scalar string): 1 to 8; 1, upright, where none is given."""
    octets = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, 0, HEAD), tf.uint8), tf.int32)
    start = _tiff(octets)
    little = tf.equal(_at(octets, start), LITTLE_ENDIAN)
    directory = start + _number(octets, start + 4, 4, little)
    entries = directory + 2 + 12 * tf.range(tf.minimum(_number(octets, directory, 2, little), 512))
    wanted = tf.where(tf.equal(_number(octets, entries, 2, little), ORIENTATION))[:, 0]
    values = _number(octets, tf.gather(entries, wanted) + 8, 2, little)
    value = tf.reduce_max(tf.concat([values[:1], [0]], 0))
    return tf.where((start > 0) & (value >= 1) & (value <= 8), value, 1)


def _tiff(octets: tf.Tensor) -> tf.Tensor:
    """Where the EXIF block's own header begins; 0 where there is no such block."""

    def exif(place: tf.Tensor) -> tf.Tensor:
        named = tf.reduce_all(tf.equal(_at(octets, place + 4 + tf.range(len(EXIF))), tf.constant(EXIF)))
        return tf.equal(_at(octets, place + 1), APP1) & named

    def before_it(place: tf.Tensor) -> tf.Tensor:
        marker = tf.equal(_at(octets, place), 0xFF) & tf.not_equal(_at(octets, place + 1), SCAN)
        return marker & tf.logical_not(exif(place))

    def next_segment(place: tf.Tensor) -> tuple[tf.Tensor]:
        return (place + 2 + tf.maximum(_number(octets, place + 2, 2, False), 2),)

    (place,) = tf.while_loop(before_it, next_segment, (tf.constant(2),))
    return tf.where(exif(place), place + 4 + len(EXIF), 0)


def _number(octets: tf.Tensor, place: tf.Tensor, length: int, little: tf.Tensor | bool) -> tf.Tensor:
    """Unsigned numbers of so many bytes at places, as int32; one of four bytes is an offset, and small."""
    powers = [256**i for i in range(length)]
    weights = tf.where(little, tf.constant(powers), tf.constant(powers[::-1]))
    return tf.reduce_sum(_at(octets, place[..., None] + tf.range(length)) * weights, -1)


def _at(octets: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """The bytes at places; 0 outside of the file."""
    last = tf.size(octets) - 1
    return tf.where((place >= 0) & (place <= last), tf.gather(octets, tf.clip_by_value(place, 0, last)), 0)


def _among(value: tf.Tensor, *choices: int) -> tf.Tensor:
    return tf.reduce_any(tf.equal(value, tf.constant(choices)))

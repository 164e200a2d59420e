"""Which channels of an attribute code are style, pose and illumination: the one place that knows (Sec. 3.1).

The code a (B, D) has a chunk for each residual block of the decoder, [style a^s | pose a^p | illumination a^c] each;
ID-excluded is a^ex = [pose | illumination]. The split is by position; the losses give the parts their meaning.
"""

from collections.abc import Callable
from dataclasses import dataclass

from keras import ops

from hicmd_tf.config.schema import NetworkConfig
from hicmd_tf.notation import Tensor


@dataclass(frozen=True)
class AttributeLayout:
    """The division of an attribute code.

    length: D, entries of the whole code (released 2048).
    chunks: residual blocks of the decoder (released 4).
    style, pose, illumination: entries of each in one chunk (released 256, 128, 128).
    """

    length: int
    chunks: int
    style: int
    pose: int
    illumination: int

    @classmethod
    def from_config(cls, networks: NetworkConfig) -> "AttributeLayout":
        """The layout of configured networks, whose sizes `config.validation` has found to divide evenly."""
        chunks = networks.decoder.residual_blocks
        length = 4 * networks.attribute_encoder.widths[-1]
        chunk = length // chunks
        style = round(chunk * networks.attributes.style_ratio)
        pose = round((chunk - style) * networks.attributes.pose_ratio)
        return cls(length, chunks, style, pose, chunk - style - pose)

    @property
    def style_length(self) -> int:
        """Entries of the whole style code (released 1024)."""
        return self.chunks * self.style

    def style_of(self, attributes: Tensor) -> Tensor:
        """a^s: (B, D) -> (B, chunks * style)."""
        return self._cut(attributes, 0, self.style)

    def pose_of(self, attributes: Tensor) -> Tensor:
        """a^p: (B, D) -> (B, chunks * pose)."""
        return self._cut(attributes, self.style, self.style + self.pose)

    def illumination_of(self, attributes: Tensor) -> Tensor:
        """a^c: (B, D) -> (B, chunks * illumination)."""
        return self._cut(attributes, self.style + self.pose)

    def excluded_of(self, attributes: Tensor) -> Tensor:
        """a^ex = [a^p; a^c]: (B, D) -> (B, chunks * (pose + illumination))."""
        return self._cut(attributes, self.style)

    def parts(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """Functions that take one part out of an attribute code, by the part's name."""
        return {"style": self.style_of, "pose": self.pose_of, "illumination": self.illumination_of}

    def combine(self, style: Tensor, pose: Tensor, illumination: Tensor) -> Tensor:
        """[a^s; a^p; a^c] whose parts come from three attribute codes (B, D) each, not necessarily different."""
        end_of_style, end_of_pose = self.style, self.style + self.pose
        parts = [
            self._by_chunk(style)[:, :, :end_of_style],
            self._by_chunk(pose)[:, :, end_of_style:end_of_pose],
            self._by_chunk(illumination)[:, :, end_of_pose:],
        ]
        return ops.reshape(ops.concatenate(parts, axis=2), (-1, self.length))

    def swap_style(self, style: Tensor, excluded: Tensor) -> Tensor:
        """Style of one attribute code, ID-excluded attributes of another, (B, D) each."""
        return self.combine(style, excluded, excluded)

    def _by_chunk(self, attributes: Tensor) -> Tensor:
        """(B, D) -> (B, chunks, D / chunks)."""
        return ops.reshape(attributes, (-1, self.chunks, self.length // self.chunks))

    def _cut(self, attributes: Tensor, start: int, end: int | None = None) -> Tensor:
        """Entries from `start` to `end` of every chunk, side by side."""
        end = self.length // self.chunks if end is None else end
        return ops.reshape(self._by_chunk(attributes)[:, :, start:end], (-1, self.chunks * (end - start)))

"""Which channels of an attribute code are style, pose and illumination: the one place that knows (Sec. 3.1).

The code a (B, D) consists of one chunk for each residual block of the decoder, and every chunk is divided alike:

    chunk k = [ style a^s | pose a^p | illumination a^c ],    ID-excluded a^ex = [ pose | illumination ]

so the decoder's blocks each see all three. The split is by position alone; the losses give the parts their meaning.
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

    def by_chunk(self, attributes: Tensor) -> Tensor:
        """(B, D) -> (B, chunks, D / chunks)."""
        return ops.reshape(attributes, (-1, self.chunks, self.length // self.chunks))

    def style_of(self, attributes: Tensor) -> Tensor:
        """a^s: (B, D) -> (B, chunks * style)."""
        return ops.reshape(self.by_chunk(attributes)[:, :, : self.style], (-1, self.style_length))

    def pose_of(self, attributes: Tensor) -> Tensor:
        """a^p: (B, D) -> (B, chunks * pose)."""
        part = self.by_chunk(attributes)[:, :, self.style : self.style + self.pose]
        return ops.reshape(part, (-1, self.chunks * self.pose))

    def illumination_of(self, attributes: Tensor) -> Tensor:
        """a^c: (B, D) -> (B, chunks * illumination)."""
        part = self.by_chunk(attributes)[:, :, self.style + self.pose :]
        return ops.reshape(part, (-1, self.chunks * self.illumination))

    def parts(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """What takes each part out of an attribute code, by the part's name."""
        return {"style": self.style_of, "pose": self.pose_of, "illumination": self.illumination_of}

    def excluded_of(self, attributes: Tensor) -> Tensor:
        """a^ex = [a^p; a^c]: (B, D) -> (B, chunks * (pose + illumination))."""
        return ops.reshape(
            self.by_chunk(attributes)[:, :, self.style :], (-1, self.chunks * (self.pose + self.illumination))
        )

    def combine(self, style: Tensor, pose: Tensor, illumination: Tensor) -> Tensor:
        """[a^s; a^c; a^p] whose parts come from three attribute codes (B, D) each, not necessarily different."""
        end_of_pose = self.style + self.pose
        parts = [
            self.by_chunk(style)[:, :, : self.style],
            self.by_chunk(pose)[:, :, self.style : end_of_pose],
            self.by_chunk(illumination)[:, :, end_of_pose:],
        ]
        return ops.reshape(ops.concatenate(parts, axis=2), (-1, self.length))

    def swap_style(self, style: Tensor, excluded: Tensor) -> Tensor:
        """Style of one attribute code, ID-excluded attributes of another, (B, D) each."""
        return self.combine(style, excluded, excluded)

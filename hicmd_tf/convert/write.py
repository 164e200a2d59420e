"""Networks of ours to the three files of a released checkpoint. Needs PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np

from hicmd_tf.convert.keys import Array, Place, to_release, unused, used
from hicmd_tf.convert.read import import_torch
from hicmd_tf.errors import UserError
from hicmd_tf.files import replacing
from hicmd_tf.method.networks.build import Networks


def released_tensors(networks: Networks) -> dict[Place, Array]:
    """Every tensor of a released checkpoint, so that PyTorch's strict loading accepts it.

    Those that the release never uses get what a fresh network has where nothing was trained: batch norms without
    effect, zeros in the rest. Raises UserError when the ResNets have their stride where the release has none.
    """
    if networks.generator.visible.attribute.sizes["stride_first"]:
        raise UserError(
            "this run's ResNets have the stride on the first 1 x 1 convolution, as Keras' weights want it, and the "
            "release's on the 3 x 3: only runs that began with networks.resnet_weights none or a .pth can be converted"
        )
    tensors = {place: to_release(np.asarray(variable, np.float32)) for place, variable in used(networks).items()}
    for place, rest in unused(networks).items():
        tensors[place] = np.full(rest.shape, rest.value, np.float32 if rest.shape else np.int64)
    return tensors


def write_checkpoint(networks: Networks, iteration: int, folder: Path) -> list[Path]:
    """Writes gen_N.pt, dis_N.pt and id_N.pt; returns their paths. Raises UserError when one is there already."""
    torch = import_torch()
    files: dict[str, dict[str, dict[str, Any]]] = {}
    for place, array in released_tensors(networks).items():
        part = files.setdefault(place.file, {}).setdefault(place.part, {})
        part[place.key] = torch.from_numpy(np.array(array, order="C"))  # a copy: views would keep their layout
    paths = {file: folder / f"{file}_{iteration:07d}.pt" for file in files}
    for path in paths.values():
        if path.exists():
            raise UserError(f"{path} is there already: name another folder")
    for file, parts in files.items():
        with replacing(paths[file]) as stream:
            torch.save(parts, stream)
    return list(paths.values())

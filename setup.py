"""How hicmd_tf is installed, and what it needs; requirements.lock has one full set of versions."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def version() -> str:
    """Read as text: importing the package here would need what is not installed yet."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "hicmd_tf" / "__init__.py").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError("hicmd_tf/__init__.py has no __version__")
    return found[1]


setup(
    name="hicmd-tf",
    version=version(),
    description="Hi-CMD (Choi et al., CVPR 2020), visible-infrared person re-identification, in TensorFlow 2",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    classifiers=["Operating System :: POSIX :: Linux", "Programming Language :: Python :: 3.11"],
    # configs/, export/ and tuning/ stand at the top of a checkout, where one looks for them; an installed package
    # carries them inside. hicmd_tf/export and hicmd_tf/tuning are links, by which a checkout has them there too.
    packages=[*find_packages(include=["hicmd_tf", "hicmd_tf.*"]), "hicmd_tf.configs"],
    package_dir={"hicmd_tf.configs": "configs"},
    package_data={
        "hicmd_tf.configs": ["*.yaml"],
        "hicmd_tf.explorer": ["*.css"],
        "hicmd_tf.visualize": ["templates/*"],
    },
    entry_points={"console_scripts": ["hicmd = hicmd_tf.commands:console"]},
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "keras>=3.15,<3.16",  # optimisers override a method that Keras may still change
        "tensorflow-datasets>=4.9.10,<5",
        "importlib_resources>=6.4",  # tensorflow-datasets imports it without saying so
        "tensorboard>=2.20,<3",
        "numpy>=2.1,<3",
        "h5py>=3.12,<4",
        "safetensors>=0.5,<1",  # checkpoints
        "scipy>=1.14,<2",  # reads SYSU-MM01's permutations
        "pillow>=11",
        "matplotlib>=3.9,<4",
        "scikit-learn>=1.5,<2",  # t-SNE, probes
        "threadpoolctl>=3.1,<4",  # keeps them to one thread
        "jinja2>=3.1,<4",  # reports
        "tqdm>=4.66,<5",
        "PyYAML>=6,<7",
        "pydantic>=2.11,<3",  # checks settings
        "annotated-types>=0.7,<1",
    ],
    extras_require={
        "dev": [
            "pytest>=8",
            "pytest-xdist>=3.6,<4",
            "hypothesis>=6.100,<7",
            "filelock>=3.16,<5",  # processes of one test run share what is made once
            "ruff>=0.17,<0.18",  # another version may format otherwise
            "mypy>=2.4,<3",
            "import-linter>=2.6,<3",  # which package may import which
            "types-PyYAML",
            "types-tqdm",
            "playwright>=1.50,<2",  # drives the Chromium that the system has
        ],
        "export": [
            "onnx>=1.18,<2",
            "onnxruntime>=1.20,<2",
            "tf2onnx>=1.17,<2",
            "tensorflow-serving-api>=2.19,<3",  # writes requests to warm up with
        ],
        "search": ["faiss-cpu>=1.9,<2", "pyarrow>=18"],
        "batch": ["ray[data]>=2.60,<2.64", "fsspec>=2024.6", "pyarrow>=18"],  # millions of pictures, URLs
        "milvus": ["pymilvus>=2.6,<4", "milvus-lite>=2.5,<4", "pyarrow>=18"],
        "tuning": [
            "keras-tuner>=1.4.8,<1.5",  # its state is written and mended by our oracles
            "grpcio>=1.60",  # chief and workers
        ],
        "serve": ["starlette>=0.40,<2", "uvicorn>=0.30,<1", "httpx>=0.27,<1"],  # the server, its client
        "explore": ["nicegui>=3,<4"],
        "baselines": ["scikit-image>=0.25,<1"],  # HOG
        "torch": ["torch>=2.6"],  # only to read .pth weights
        "cuda": ["tensorflow[and-cuda]>=2.21,<2.22"],  # docs/accelerators.md: which cards
        # Tested with 0.10.2, the newest for Python 3.11; its arithmetic also with 0.11.2, on a GPU and Python 3.12.
        "jax": ["jax>=0.10.2,<0.12"],
        "jax-cuda": ["jax[cuda13]>=0.10.2,<0.12"],
    },
)

"""Every setting of a run, as typed dataclasses.

The values live in configs/base.yaml, the one place for defaults; here stand names, types and meanings.
`validate` (in `validation.py`) knows which combinations are impossible. "released" is what the authors' code does,
"paper" what the text of the paper says; method rows are those of docs/paper_and_release.md.
"""

from dataclasses import dataclass
from typing import Literal

CheckPolicy = Literal["stop", "skip"]


@dataclass(frozen=True)
class SyntheticConfig:
    """The drawn people of `synthetic_vi`."""

    identities: int
    """Number of people. 412 follows RegDB."""
    images_per_modality: int
    """Pictures of one person in each modality. 10 follows RegDB."""
    spectrum: Literal["near_infrared", "thermal"]
    """What the infrared camera sees: reflected near infrared, or heat."""
    yaw_range: float
    """Largest angle between a person's walking direction and the optical axis, in radians, 0 to pi (pi: any view)."""
    albedo_follows_lightness: float
    """How far a garment's near-infrared albedo follows its visible lightness, 0 (independent) to 1 (equal)."""
    framing: float
    """How far the crop varies, 0 (everyone as tall and in the middle) to 1."""
    clutter: float
    """How far place and light vary: patterns and posts behind people, share and direction of light, 0 (plain) to 1."""
    exposure: float
    """How far brightness and veiling glare vary from picture to picture, 0 to 1."""
    noise: float
    """Standard deviation of the sensor noise, in grey levels of 255; each camera has a multiple of it."""
    seed: int
    """Seed of people and pictures. Another seed gives other people."""


@dataclass(frozen=True)
class DataConfig:
    """The pictures."""

    name: Literal["synthetic_vi", "regdb", "sysu_mm01", "llcm", "folder"]
    """Which pictures: synthetic_vi draws people, folder has people's own, laid out as the README says."""
    source: str
    """Folder that holds the data set as its authors hand it out; empty for synthetic_vi, which is drawn."""
    pattern: str
    """What the paths of people's own pictures say, of folder only: a regular expression that is looked for in each path
    below source, with some of the named groups identity, camera, modality and split; empty for the layout that the
    README describes."""
    directory: str
    """Folder that keeps drawn people, shared by runs; other data sets are read where they are."""
    trial: int
    """Which of the ten splits into training and test identities, 1 to 10; of regdb and synthetic_vi, 1 elsewhere."""
    test_identities: int
    """Drawn identities for the test; the others are for training. 206 of 412 follows RegDB."""
    held_out: int
    """Training identities kept out of training, for choosing settings without looking at the test identities; 0 for
    a final run."""
    validation_trains: bool
    """Whether SYSU-MM01's 99 validation identities train too (row 19): paper true, released false. No other data set
    has any."""
    check: CheckPolicy
    """What is done about pictures that can't be decoded or have too many pixels: stop before anything begins, or skip
    them, with a warning, in training and evaluation."""
    sixteen_bit: str
    """Which counts of grey pictures of 16 bits, as thermal cameras write them, become 0 and 255: LO-HI, or LO%-HI% for
    each picture's own percentiles. Empty: such pictures are refused."""
    height: int
    """Height of the pictures given to the networks, in pixels; a multiple of 4."""
    width: int
    """Width of the pictures given to the networks, in pixels; a multiple of 4."""
    synthetic: SyntheticConfig
    """Settings of the drawn people, used when name is synthetic_vi."""


@dataclass(frozen=True)
class BatchConfig:
    """What one iteration sees (row 5)."""

    pairs: int
    """Visible-infrared pairs of different identities, the input of ID-PIG. Released 2, paper 4."""
    negatives: int
    """Further visible images and as many infrared ones, all of other identities, seen by HFL only. Released 2,
    paper 0."""
    flip: float
    """Probability of a horizontal flip, drawn for each image, 0 to 1."""
    erasing: float
    """Probability of random erasing, drawn for each HFL input, real or generated, 0 to 1 (row 9). Released 0.5,
    paper 0."""
    norm_groups: int
    """Into how many groups of consecutive pictures batch norm divides each kind of pictures; a multiple of the number
    of devices, and a divisor of pairs and negatives. Released 1."""


@dataclass(frozen=True)
class PrototypeEncoderConfig:
    """E^p: strided 3 x 3 convolutions, residual blocks, ASPP."""

    widths: list[int]
    """Channels of the four convolutions; the first and the last have stride 2."""
    residual_blocks: int
    """Residual blocks behind them."""
    aspp_width: int
    """Channels of each of the four ASPP branches; the prototype has four times as many."""
    dilations: list[int]
    """Dilations of the three dilated ASPP branches; each must be smaller than the prototype's height and width."""


@dataclass(frozen=True)
class AttributeEncoderConfig:
    """E^a: a whole ResNet with bottleneck blocks."""

    stem_width: int
    """Channels of the 7 x 7 convolution."""
    widths: list[int]
    """Inner channels of the bottlenecks of the four stages; outputs have four times as many, the attribute code
    four times the last."""
    depths: list[int]
    """Bottlenecks in each of the four stages. ResNet-50: 3, 4, 6, 3."""


@dataclass(frozen=True)
class AttributeLayoutConfig:
    """How the attribute code divides into style, pose and illumination."""

    style_ratio: float
    """Share of the attribute code that is style, between 0 and 1."""
    pose_ratio: float
    """Share of the remaining, ID-excluded code that is pose, between 0 and 1; the rest is illumination."""


@dataclass(frozen=True)
class DecoderConfig:
    """G: AdaIN residual blocks, two upsamplings, output convolutions."""

    residual_blocks: int
    """AdaIN residual blocks, each steered by its own chunk of the attribute code."""
    widths: list[int]
    """Channels behind the two upsamplings."""


@dataclass(frozen=True)
class DiscriminatorConfig:
    """D: the same small network at several scales."""

    scales: int
    """How many scales, each half the size of the one before."""
    width: int
    """Channels of the first convolutions; the residual blocks have twice as many."""
    residual_blocks: int
    """Residual blocks of one scale."""


@dataclass(frozen=True)
class FeatureLearningConfig:
    """HFL: H, alpha and the identity head (Sec. 3.3)."""

    widths: list[int]
    """Inner channels of the bottlenecks of H's two stages. ResNet-50 stages 2 and 3: 128, 256."""
    depths: list[int]
    """Bottlenecks of H's two stages. ResNet-50: 4, 6."""
    alpha: float
    """Initial value of alpha, the weight of the prototype against the style, 0 to 1."""
    normalise_parts: bool
    """Whether both parts of d_comb are L2-normalised before alpha weighs them (row 6). Released true, paper false."""
    embedding: int
    """Length of f, the output of the fully connected layer and of the descriptor."""
    triplet_embedding: int
    """Length of the separate output that the released triplet loss compares."""
    dropout: float
    """Dropout rate in front of classifier and triplet layer, 0 to 1."""
    descriptor: Literal["fc", "batch_norm"]
    """The descriptor: the fully connected layer's output, or that behind its BatchNorm (row 10). Released
    batch_norm, paper fc."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the networks (Figure 2)."""

    prototype_encoder: PrototypeEncoderConfig
    """E^p."""
    attribute_encoder: AttributeEncoderConfig
    """E^a."""
    attributes: AttributeLayoutConfig
    """Style, pose, illumination."""
    decoder: DecoderConfig
    """G."""
    discriminator: DiscriminatorConfig
    """D."""
    feature_learning: FeatureLearningConfig
    """H, alpha, head."""
    resnet_weights: str
    """Initial weights of E^a and H: none (Kaiming), imagenet (Keras' ResNet-50, downloaded once), or a file:
    torchvision's resnet50 .pth or a Keras .h5."""
    discriminator_init: Literal["normal", "kaiming"]
    """Initial weights of D: N(0, 0.02) as released, or Kaiming."""


@dataclass(frozen=True)
class LossConfig:
    """Weights and forms of the losses (Eq. 1 to 10)."""

    same: float
    """lambda_2, weight of the same-modality reconstruction (Eq. 2)."""
    cross: float
    """lambda_1, weight of the cross-modality reconstruction (Eq. 1)."""
    cycle: float
    """lambda_3, weight of the cycle reconstruction (Eq. 3)."""
    code: float
    """lambda_4, weight of the code reconstruction (Eq. 4)."""
    kl: float
    """lambda_kl, weight of the KL divergence (Eq. 6)."""
    adversarial: float
    """lambda_adv, weight of the adversarial loss for generator and discriminators (Eq. 7)."""
    cross_entropy: float
    """lambda_ce, weight of the cross-entropy (Eq. 8)."""
    triplet: float
    """lambda_trip, weight of the triplet loss (Eq. 9)."""
    same_style: Literal["swapped", "own"]
    """Whose style the same-modality reconstruction decodes (row 1): released swapped (the other image of the pair),
    paper own."""
    cycle_attributes: Literal["original", "reconstructed"]
    """Attribute codes of the cycle reconstruction (row 2): released original, paper reconstructed."""
    adversarial_form: Literal["least_squares", "log"]
    """Form of the adversarial loss (row 3): released least_squares, paper log."""
    gradient_penalty: float
    """Weight of the R1 penalty on real images inside the discriminators' loss (row 3). Released 0.01, paper 0."""
    kl_form: Literal["mean_square", "gaussian"]
    """Form of Eq. 6 (row 8): released mean_square of the code, paper gaussian (divergence of the Gaussian with the
    code's mean and variance)."""
    triplet_form: Literal["cosine", "euclidean"]
    """Form of Eq. 9 (row 4): released cosine on a separate layer, anchors by modality; paper euclidean on f, every
    row an anchor."""
    margin: float
    """Margin m of the triplet loss. Released 0.5 (of the cosine)."""
    triplet_regulariser: float
    """Weight of the squares that pull cosines to +1 and -1 in the cosine form (row 4). Released 1, paper 0."""


@dataclass(frozen=True)
class SamplingConfig:
    """Which features HFL learns from (row 9)."""

    groups: Literal["released", "paper", "original"]
    """released: 8 groups, codes mixed within a modality; paper: every mixture of one person's original and
    generated codes; original: real images only (Table 2)."""
    detach_generated: bool
    """Whether identity losses stop at generated images instead of reaching the decoder. Released true, paper false."""


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam for ID-PIG and the discriminators, Nesterov SGD for HFL (Sec. 4.1)."""

    generator_rate: float
    """Learning rate of Adam for encoders and decoder."""
    discriminator_rate: float
    """Learning rate of Adam for the discriminators."""
    feature_rate: float
    """Learning rate of SGD for H and the identity head."""
    alpha_rate: float
    """Learning rate of SGD for alpha."""
    beta_1: float
    """Adam's first decay, 0 to 1."""
    beta_2: float
    """Adam's second decay, 0 to 1."""
    epsilon: float
    """Adam's epsilon, added to the root of the corrected second moment."""
    momentum: float
    """Momentum of SGD, 0 to 1."""
    nesterov: bool
    """Whether SGD uses Nesterov's momentum."""
    weight_decay: float
    """Coupled L2: this times the weight is added to the gradient, for every variable."""
    drop_every: int
    """The learning rates drop every so many iterations."""
    drop_factor: float
    """Factor of a drop, 0 to 1."""


@dataclass(frozen=True)
class TrainingConfig:
    """Length, logs and checkpoints of a run."""

    steps: int
    """Iterations."""
    log_every: int
    """Iterations between two rows of the logs."""
    picture_every: int
    """Iterations between two picture grids."""
    watch_every: int
    """Iterations whose mean losses are looked at for signs of a training that learns nothing."""
    checkpoint_every: int
    """Iterations between two checkpoints."""
    keep_checkpoints: int
    """How many of the newest checkpoints stay."""
    embed_batch: int
    """Images embedded at a time in an evaluation."""
    precision: Literal["float32", "mixed_bfloat16"]
    """What the large maps are computed in. Weights, losses, statistics of norms, the identity head and the optimisers
    are float32 in either, and so is every evaluation."""
    memory: Literal["normal", "low"]
    """Whether gradients keep what encoders, decoder and discriminators computed (normal), or compute it again (low)."""
    deterministic: bool
    """Whether TensorFlow uses only kernels that give the same bits every time."""
    intra_op_threads: int
    """Threads inside one TensorFlow operation; 0: all cores."""
    inter_op_threads: int
    """TensorFlow operations side by side; 0: as many as cores."""
    devices: int
    """GPUs of this machine, and of each further one that TF_CONFIG names, that share out every batch; 0: all."""


@dataclass(frozen=True)
class Config:
    """A whole run."""

    seed: int
    """Seed of initial weights, batches, augmentation and dropout."""
    data: DataConfig
    """The pictures."""
    batch: BatchConfig
    """One iteration's images."""
    networks: NetworkConfig
    """The networks."""
    losses: LossConfig
    """The losses."""
    sampling: SamplingConfig
    """Alternate sampling."""
    optimisers: OptimiserConfig
    """The optimisers."""
    training: TrainingConfig
    """The run."""

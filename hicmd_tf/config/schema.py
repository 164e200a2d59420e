"""Every setting of a run: one line each, with its kind, meaning and source.

Values stand in configs/base.yaml, the one place for defaults, whose comments and the lines of --help are the notes
here. Which settings can't go together is said in `validation`.
"""

from dataclasses import dataclass
from typing import Literal

from hicmd_tf.config.kinds import (
    DRAWN,
    EMBEDDING,
    HICMD,
    PARTS,
    Angle,
    Count,
    Counts,
    DataName,
    Decay,
    Exponent,
    Factor,
    Flag,
    Four,
    InnerShare,
    MethodName,
    Name,
    Parts,
    Pattern,
    People,
    Pixels,
    Place,
    Power,
    Rate,
    Searched,
    Seed,
    Share,
    Split,
    Stages,
    Steps,
    Stride,
    Three,
    Two,
    Weight,
    Whole,
    free,
    note,
    rate,
    term,
)

CheckPolicy = Literal["stop", "skip"]

METHOD = "it is another method"
DRAWS = "batches are drawn from it from the first step on"
FORM = "weights and moments of the checkpoint have the form of its networks"
MOMENTS = "the moments so far were gathered with it"
COMPUTED = "what was computed so far depends on it"


@dataclass(frozen=True)
class SyntheticConfig:
    """The drawn people of `synthetic_vi`."""

    identities: People = note("number of people", "as many as RegDB")
    images_per_modality: Count = note("pictures of one person in each modality", "as RegDB")
    spectrum: Literal["near_infrared", "thermal"] = note("what the infrared camera sees")
    yaw_range: Angle = note("largest angle of walking direction to optical axis, radians, 0 to pi (any view)")
    albedo_follows_lightness: Share = note("near-infrared albedo of clothes: 0 independent of lightness, 1 equal")
    framing: Share = note("how far the crop varies, 0 (everyone as tall and in the middle) to 1")
    clutter: Share = note("how far place and light vary: patterns, posts, haze, direct light; 0 to 1")
    exposure: Share = note("how far brightness and veiling glare vary from picture to picture, 0 to 1")
    noise: Weight = note("standard deviation of the sensor noise, grey levels of 255")
    seed: Seed = note("another seed gives other people and pictures")


@dataclass(frozen=True)
class DataConfig:
    """The pictures."""

    name: DataName = note("which pictures; synthetic_vi is drawn by the program, folder holds your own")
    source: Place = free("folder that holds the data set as its authors hand it out; empty for synthetic_vi")
    pattern: Pattern = note(
        "what paths in folder say: a regular expression, such as (?P<identity>[^/]+)/(?P<modality>ir|rgb)_; named "
        "groups identity, camera, modality, split, track, time; empty for the usual layout (docs/own_pictures.md)"
    )
    directory: Name = note("folder that keeps drawn people, shared by runs", of=DRAWN, free=True)
    trial: Split = note("which split of identities, from 1 on; a data set has ten of them or one (docs/retrieval.md)")
    test_identities: Count = note("drawn people for the test; the others train", "206 of 412 as RegDB", of=DRAWN)
    held_out: Whole = note("training identities kept out, to choose settings by; 0: a final run on the test identities")
    validation_trains: Flag = note(
        "whether SYSU-MM01's validation people train too", "row 19", False, True, of="sysu_mm01"
    )
    check: CheckPolicy = note("what is done about pictures that can't be decoded or are too large; skip warns")
    sixteen_bit: Counts = note(
        "which counts of grey 16-bit pictures become 0 and 255: LO-HI, as 29000-31000; LO%-HI%, as 1%-99%, for each "
        "picture's own percentiles; empty: such pictures are refused"
    )
    height: Pixels = note("height of the pictures given to the networks, pixels, a multiple of 4", "Sec. 4.1, released")
    width: Pixels = note("width of the pictures given to the networks, pixels, a multiple of 4", "Sec. 4.1, released")
    synthetic: SyntheticConfig = note(of=DRAWN)


@dataclass(frozen=True)
class BatchConfig:
    """The pictures of one iteration (row 5)."""

    pairs: Count = note(
        "visible-infrared pairs of different identities, for ID-PIG and HFL", "row 5", 2, 4, method=HICMD
    )
    negatives: Whole = note(
        "further visible images, and as many infrared ones, for HFL only", "row 5", 2, 0, method=HICMD
    )
    flip: Share = note("probability of a horizontal flip, of each image", "released")
    pad: Whole = note("black border of which a picture of the old size is cut at random, pixels; 0: none")
    brightness: Exponent = note(
        "how far each picture's brightness varies, 0 to 1; gain and gamma are drawn from 1 / 2^x to 2^x"
    )
    blur: Share = note("probability of a Gaussian blur, of each picture, of up to 1/64 of its height")
    erasing: Share = note(
        "probability of random erasing, of each input of HFL or of an embedding network", "row 9", 0.5, 0.0
    )
    channel_exchange: Share = note(
        "probability that a visible input of HFL shows red, green, blue or grey in all channels", "CAJ", method=HICMD
    )
    norm_groups: Count = note(
        "into how many groups of consecutive pictures batch norm divides each kind of pictures; a multiple of the "
        "number of devices, and a divisor of pairs and negatives, or of people x pictures",
        "released",
    )


@dataclass(frozen=True)
class PrototypeEncoderConfig:
    """E^p: strided 3 x 3 convolutions, residual blocks, ASPP."""

    widths: Four = note("channels of the four convolutions; the first and the last have stride 2")
    residual_blocks: Whole = note("residual blocks after them")
    aspp_width: Count = note("channels of each of four ASPP branches; the prototype has four times as many")
    dilations: Three = note("dilations of three branches, map pixels; below the prototype's height and width")


@dataclass(frozen=True)
class AttributeEncoderConfig:
    """E^a: a whole ResNet with bottleneck blocks."""

    stem_width: Count = note("channels of the 7 x 7 convolution")
    widths: Four = note("inner channels of four stages; the attribute code has 4 x the last entries")
    depths: Four = note("bottlenecks of each stage")


@dataclass(frozen=True)
class AttributeLayoutConfig:
    """How the attribute code divides into style, pose and illumination."""

    style_ratio: InnerShare = note("share of the code that is style, between 0 and 1", "released")
    pose_ratio: InnerShare = note(
        "share of the rest that is pose, between 0 and 1; what is left is illumination", "released"
    )


@dataclass(frozen=True)
class DecoderConfig:
    """G: AdaIN residual blocks, two upsamplings, output convolutions."""

    residual_blocks: Count = note("AdaIN residual blocks, one chunk of the attribute code each")
    widths: Two = note("channels after the two upsamplings")


@dataclass(frozen=True)
class DiscriminatorConfig:
    """D: the same small network at several scales."""

    scales: Count = note("how many scales, each half the size of the one before")
    width: Count = note("channels of the first convolutions; the residual blocks have twice as many")
    residual_blocks: Whole = note("residual blocks of one scale")


@dataclass(frozen=True)
class FeatureLearningConfig:
    """HFL: H, alpha and the identity head (Sec. 3.3)."""

    widths: Two = note("inner channels of H's two stages", "stages 2 and 3 of ResNet-50, released")
    depths: Two = note("bottlenecks of H's two stages", "released")
    alpha: Share = note("initial weight of the prototype against the style, 0 to 1", "row 7; released")
    normalise_parts: Flag = note("L2-normalise both parts of d_comb first", "row 6", True, False)
    embedding: Count = note("length of the descriptor f", "released")
    triplet_embedding: Count = note("length of the output that the released triplet loss compares", "row 4")
    dropout: Decay = note("rate in front of classifier and triplet layer, 0 to below 1", "released")
    descriptor: Literal["fc", "batch_norm"] = note("which layer is f", "row 10", "batch_norm", "fc")


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the networks (Figure 2)."""

    prototype_encoder: PrototypeEncoderConfig = note("E^p", "Sec. 3.1; sizes released", method=HICMD)
    attribute_encoder: AttributeEncoderConfig = note(
        "E^a, a whole ResNet", "Sec. 3.1; ResNet-50, released", method=HICMD
    )
    attributes: AttributeLayoutConfig = note("which part of the attribute code is what", "Sec. 3.1", method=HICMD)
    decoder: DecoderConfig = note("G", "Sec. 3.2; sizes released", method=HICMD)
    discriminator: DiscriminatorConfig = note("D", "Eq. 7; sizes released", method=HICMD)
    feature_learning: FeatureLearningConfig = note("HFL: H, alpha, head", "Sec. 3.3", method=HICMD)
    resnet_weights: Name = note(
        "initial E^a and H, or embedding network: none, imagenet (a download; released), or a .pth or .h5 of ResNet-50"
    )
    discriminator_init: Literal["normal", "kaiming"] = note(
        "initial weights of D; normal: N(0, 0.02), released", method=HICMD
    )


@dataclass(frozen=True)
class LossConfig:
    """Weights and forms of the losses (Eq. 1 to 10)."""

    same: Weight = term("lambda_2", "same-modality reconstruction", "Eq. 2, Sec. 4.1", HICMD)
    cross: Weight = term("lambda_1", "cross-modality reconstruction", "Eq. 1, Sec. 4.1", HICMD)
    cycle: Weight = term("lambda_3", "cycle reconstruction", "Eq. 3, Sec. 4.1", HICMD)
    code: Weight = term("lambda_4", "code reconstruction", "Eq. 4, Sec. 4.1", HICMD)
    kl: Weight = term("lambda_kl", "KL divergence", "Eq. 6, Sec. 4.1", HICMD)
    adversarial: Weight = term("lambda_adv", "of generator and discriminators", "Eq. 7, Sec. 4.1", HICMD)
    cross_entropy: Weight = term("lambda_ce", "identity classification", "Eq. 8, Sec. 4.1")
    triplet: Weight = term("lambda_trip", "triplet loss", "Eq. 9, Sec. 4.1")
    same_style: Literal["swapped", "own"] = note(
        "style in Eq. 2; swapped: of the pair's other image", "row 1", "swapped", "own", method=HICMD
    )
    cycle_attributes: Literal["original", "reconstructed"] = note(
        "attributes in Eq. 3", "row 2", "original", "reconstructed", method=HICMD
    )
    adversarial_form: Literal["least_squares", "log"] = note(
        "form of Eq. 7", "row 3", "least_squares", "log", method=HICMD
    )
    gradient_penalty: Weight = note(
        "weight of the R1 penalty on real images", "row 3", 0.01, 0.0, change=True, method=HICMD
    )
    kl_form: Literal["mean_square", "gaussian"] = note(
        "form of Eq. 6", "row 8", "mean_square", "gaussian", method=HICMD
    )
    triplet_form: Literal["cosine", "euclidean"] = note(
        "form of Eq. 9; cosine: of a layer of its own, euclidean: of f", "row 4", "cosine", "euclidean"
    )
    margin: Weight = note(
        "margin of the triplet loss", "released; the paper has none", change=True, search=Searched("m", 0.4, 2.5)
    )
    triplet_regulariser: Weight = note("pulls cosines to +1 and -1, cosine form only", "row 4", 1.0, 0.0, change=True)


@dataclass(frozen=True)
class SamplingConfig:
    """Which features HFL learns from (row 9)."""

    groups: Literal["released", "paper", "original"] = note(
        "features that HFL learns from; original: real images only (Table 2)", "row 9", "released", "paper"
    )
    detach_generated: Flag = note("identity losses stop at generated images", "row 9", True, False)


@dataclass(frozen=True)
class EmbeddingConfig:
    """An embedding network: one ResNet for pictures of both modalities, its batches and its optimiser."""

    stem: Literal["shared", "two", "zero_padded"] = note(
        "who has the first layers; two: each modality its own, zero_padded: all have [grey, 0] or [0, infrared] to see",
        "Table 1",
        fixed=FORM,
    )
    own_stages: Stages = note("stages that each modality has of its own, beside the stem", "Table 1", fixed=FORM)
    stem_width: Count = note("channels of the 7 x 7 convolution", "ResNet-50", fixed=FORM)
    widths: Four = note(
        "inner channels of four stages; the descriptor has 4 x the last entries", "ResNet-50", fixed=FORM
    )
    depths: Four = note("bottlenecks of each stage", "ResNet-50", fixed=FORM)
    last_stride: Stride = note("stride of the last stage; 1 keeps its map large")
    pooling_power: Power = note("p of the pooled map (mean x^p)^(1/p); 3: GeM, 1: the mean")
    neck: Flag = note(
        "batch norm without a shift between pooled map, which the triplet loss compares, and classifier", fixed=FORM
    )
    mirrored: Flag = note("whether the descriptor is the mean of the picture's and its mirror image's")
    people: Count = note("different people of a batch", fixed=DRAWS)
    pictures: Count = note("pictures of each of them in each modality", fixed=DRAWS)
    channels: Literal["none", "exchange", "exchange_or_grey"] = note(
        "channels of training pictures; exchange: visible ones come twice, the second time with red, green or blue in "
        "all channels, exchange_or_grey: or grey; infrared ones have one channel or grey in seven of eight cases",
        "CAJ",
        fixed=DRAWS,
    )
    optimiser: Literal["sgd", "adam"] = note("whose momentum or decays are those of optimisers", fixed=MOMENTS)
    rate: Rate = rate("rate", "learning rate of the network", "")
    head_factor: Rate = note("the neck and classifier learn at so many times the rate", change=True)
    warm_up: Whole = note("iterations in which the rate rises evenly from 0; 0: none", change=True)
    schedule: Literal["steps", "cosine"] = note("how the rate falls; cosine: to 0 at training.steps")
    drops: Steps = note("iterations after which the rate falls by optimisers.drop_factor, of steps", change=True)


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam for ID-PIG and the discriminators, Nesterov SGD for HFL (Sec. 4.1)."""

    generator_rate: Rate = rate(
        "rate of ID-PIG", "Adam's learning rate for encoders and decoder", "Sec. 4.1, released", of=HICMD
    )
    discriminator_rate: Rate = rate(
        "rate of D", "Adam's learning rate for the discriminators", "Sec. 4.1, released", of=HICMD
    )
    feature_rate: Rate = rate("rate of HFL", "learning rate of SGD for H and head", "Sec. 4.1, released", of=HICMD)
    alpha_rate: Weight = rate("rate of alpha", "learning rate of SGD for alpha", "row 7; released", 10, HICMD)
    beta_1: Decay = note("Adam's first decay", "row 12; released")
    beta_2: Decay = note("Adam's second decay", "row 12; released")
    epsilon: Rate = note("Adam's epsilon, added to the root of the corrected second moment", "released")
    momentum: Decay = note("momentum of SGD", "Sec. 4.1, released")
    nesterov: Flag = note("Nesterov's momentum", "row 11; released")
    weight_decay: Weight = note("coupled L2, of every variable", "rows 11 and 12; released", change=True)
    drop_every: Count = note(
        "iterations between drops of the rates", "rows 11 and 12; released for RegDB", change=True, method=HICMD
    )
    drop_factor: Factor = note("factor of a drop, above 0, at most 1", "rows 11 and 12; released", change=True)


@dataclass(frozen=True)
class TrainingConfig:
    """Length, logs and checkpoints of a run."""

    engine: Literal["tensorflow", "jax"] = free("who trains; every other command opens either's runs with TensorFlow")
    initialise: Place = note("run folder whose weights this run begins with, but the classifier's; empty: none")
    frozen: Parts = note(
        f"networks whose weights stay as they begin, some of {', '.join(PARTS[HICMD])}, of an embedding network of "
        f"{', '.join(PARTS[EMBEDDING])}; running statistics follow the pictures"
    )
    steps: Count = note("iterations", "row 20; released for RegDB", fixed="a run is made longer by --steps")
    log_every: Count = free("iterations between two rows of the logs")
    picture_every: Count = free("iterations between two picture grids")
    watch_every: Count = free("iterations whose mean losses are looked at for signs of a training that learns nothing")
    checkpoint_every: Count = free("iterations between two checkpoints", "released")
    keep_checkpoints: Count = free("how many of the newest checkpoints stay")
    embed_batch: Count = note("images embedded at a time in an evaluation", "released")
    precision: Literal["float32", "mixed_bfloat16"] = note(
        "of the large maps; mixed_bfloat16: faster with AVX512_BF16 or on a GPU (docs/training.md)"
    )
    tf32: Flag = note("on cards that have it, float32 convolutions and products have 10-bit mantissas; false: never")
    memory: Literal["normal", "low"] = note(
        "of gradients; low: they compute the networks again, on one device (docs/training.md)"
    )
    deterministic: Flag = note("only kernels that give the same bits every time; slower on a GPU")
    intra_op_threads: Whole = note("threads inside one TensorFlow operation; 0: all cores")
    inter_op_threads: Whole = note("TensorFlow operations side by side; 0: as many as cores")
    devices: Whole = free("GPUs of this machine, and of each in TF_CONFIG, that share every batch; 0: all")


@dataclass(frozen=True)
class Config:
    """A whole run."""

    seed: Seed = note("seed of initial weights, batches, augmentation and dropout", "released", fixed=DRAWS)
    method: MethodName = note(
        "what is trained; embedding: one ResNet of both modalities (docs/embedding.md)", fixed=METHOD
    )
    data: DataConfig = note(fixed="it would be judged by other pictures than it was trained for")
    batch: BatchConfig = note(fixed=DRAWS)
    networks: NetworkConfig = note(fixed=FORM)
    losses: LossConfig = note(
        "terms are means over all elements, summed over the modalities; numbers may change (--change)", fixed=COMPUTED
    )
    sampling: SamplingConfig = note(fixed=COMPUTED, method=HICMD)
    embedding: EmbeddingConfig = note(
        "for method embedding; batch's changes of pictures, networks.resnet_weights, losses.cross_entropy and those of "
        "the triplet loss hold too",
        fixed=COMPUTED,
        method=EMBEDDING,
    )
    optimisers: OptimiserConfig = note(
        "rates, weight_decay and drops may change while a run trains (--change)",
        fixed=MOMENTS,
    )
    training: TrainingConfig = note(fixed=COMPUTED)

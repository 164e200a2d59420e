"""One object a data set: everything that the program knows of it.

Another data set is one file beside the others, with a subclass of `DataSet`, its line in the table of `sources`, and
one in `config.kinds`, where settings look. Choices on command lines, known counts, protocol, galleries and file names
follow.
"""

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from hicmd_tf.config.kinds import DATA_SETS, EMBEDDING, HICMD, MethodName
from hicmd_tf.config.schema import DataConfig
from hicmd_tf.config.validation import refuse_sourceless
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.searches import NOBODY, ProtocolName, Search, all_against_all
from hicmd_tf.data.sources.records import Listing, read_pictures
from hicmd_tf.data.sources.walking import sentences, walked
from hicmd_tf.drawn_people.arithmetic import Draws
from hicmd_tf.errors import UserError, counted
from hicmd_tf.notation import INFRARED, Modality

Counts = Mapping[tuple[str, Modality], tuple[int, int]]

SPLIT_KEY = 3
"""Third word of a split's random key; drawn people and pictures have 0, 1 or 2 there."""
HELD_OUT_SEED = 777


class DataSet(ABC):
    """A data set whose pictures lie in a folder; a drawn one (`synthetic_vi`) overrides what that means.

    name: by which settings and commands choose it.
    layout: what its folder holds; obtained: where it is to be had; both in words.
    protocol: whose rules judge a ranking.
    counts: published numbers of identities and pictures, by split and modality; empty where nobody knows.
    cameras: which cameras took a modality's pictures, where the protocol goes by their numbers.
    permuted: whether its galleries are chosen by a file of permutations.
    configurations: those in configs/ to train on it with, by method.
    negatives: up to how many a batch should have where there are people enough, if that is more than configured.
    """

    name: ClassVar[str]
    layout: ClassVar[str]
    obtained: ClassVar[str]
    protocol: ClassVar[ProtocolName]
    counts: ClassVar[Counts] = {}
    cameras: ClassVar[Mapping[Modality, Sequence[int]]] = {}
    permuted: ClassVar[bool] = False
    configurations: ClassVar[Mapping[MethodName, str]] = {EMBEDDING: "strong", HICMD: "released"}
    negatives: ClassVar[int] = 0

    @property
    def trials(self) -> int:
        """How many splits into training and test identities it has."""
        return DATA_SETS[self.name].trials

    @property
    def drawn(self) -> bool:
        """Whether its pictures are made, not read from a folder."""
        return DATA_SETS[self.name].drawn

    @property
    def patterned(self) -> bool:
        """Whether its paths may say what a pattern finds in them."""
        return DATA_SETS[self.name].patterned

    @property
    def advice(self) -> str:
        """Advice for a folder that isn't as expected."""
        return f"expected {self.layout}; {self.obtained}"

    @abstractmethod
    def listing(self, folder: Path, trial: int, pattern: str) -> Listing:
        """The pictures of a folder by split. Raises UserError for what is missing or makes no sense.

        Args:
            folder: the data set as its authors hand it out.
            trial: which of its splits, 1 to `trials`.
            pattern: the setting data.pattern; empty unless it is `patterned`.
        """

    def read(self, folder: Path, trial: int = 1, pattern: str = "") -> Listing:
        """As `listing`. Raises UserError for a trial, or a pattern, that the data set does not have, too."""
        if not 1 <= trial <= self.trials:
            raise UserError(f"trial is {trial}: {self.name} has trials 1 to {self.trials}; choose one of them")
        if pattern and not self.patterned:
            raise UserError(
                f"a pattern is given, which is for folder: {self.name} has a layout of its own; leave it out"
            )
        return self.listing(folder, trial, pattern)

    def training_people(self, config: DataConfig) -> int | None:
        """How many people train, by a look at folders and lists; None of drawn ones. Raises UserError where `divided`
        would, for what that look tells."""
        refuse_sourceless(config)
        if self.drawn:
            return None
        splits = self.read(Path(config.source), config.trial, config.pattern).splits
        records = splits["train"] + (splits.get("val", []) if config.validation_trains else [])
        people = len({record.identity for record in records})
        _refuse_held_out(config.held_out, people)
        return people - config.held_out

    def divided(self, config: DataConfig) -> tuple[Samples, Samples, Samples]:
        """Training, held-out and test pictures of a configuration, each sorted by name. Warns of what is passed over.
        Raises UserError for impossible settings, and for a source with something missing."""
        refuse_sourceless(config)
        source = Path(config.source)
        listing = self.read(source, config.trial, config.pattern)
        for line in listing.passed:
            warnings.warn(f"{source}: {line}", stacklevel=2)
        records = listing.splits["train"] + (listing.splits.get("val", []) if config.validation_trains else [])
        training, test = (
            read_pictures(source, split, listing.texts, config.sixteen_bit)
            for split in (records, listing.splits["test"])
        )
        people = np.unique(training.identities)
        _refuse_held_out(config.held_out, len(people))
        order = Draws(HELD_OUT_SEED, config.trial, SPLIT_KEY).shuffled(len(people))  # the last are held out
        kept, held_out = np.split(people[order], [len(people) - config.held_out])
        return training.having(kept), training.having(held_out), test

    def searches(self, samples: Samples, permutations: Path | None = None) -> list[Search]:
        """Every search of the data set's published tables. Raises UserError when nobody is known, and for cameras that
        the data set does not have in a modality.

        Args:
            samples: its test pictures, or others of its kind, sorted by name. Those of unknown people are in the
                galleries, where a camera's or a modality's are, and no queries.
            permutations: the file by which its authors choose galleries, where it is `permuted`.
        """
        if not samples.known.any():
            raise UserError(NOBODY)
        for modality, cameras in self.cameras.items():
            rows = np.flatnonzero(samples.infrared == (modality == INFRARED))
            strange = rows[~np.isin(samples.cameras[rows], cameras)]
            if len(strange):
                raise UserError(
                    f"{samples.names[strange[0]]} is {modality} and by camera {samples.camera(strange[0])} "
                    f"({counted(len(strange), 'such picture')}), {self.name}'s {modality} cameras are "
                    f"{', '.join(map(str, cameras))}: give its own cameras, or another --data"
                )
        return list(self.galleries(samples, permutations))

    def galleries(self, samples: Samples, permutations: Path | None) -> Iterator[Search]:
        """As `searches`, of samples that were checked: by default everyone against everyone."""
        return all_against_all(samples, self.protocol)

    def published(self, config: DataConfig, samples: Samples, permutations: Path | None = None) -> list[Search]:
        """As `searches`, with what lies in a configuration's folder."""
        return self.searches(samples, permutations)

    def people(self, config: DataConfig) -> str:
        """Whose the numbers of identities are: equal ones of equal words are one person's."""
        return self.name

    def called(self, config: DataConfig) -> str:
        """The name for files of figures on this data set."""
        return f"{self.name}_trial_{config.trial}" if self.trials > 1 else self.name

    def remarks(self, folder: Path, listings: Mapping[int, Listing]) -> Iterator[str]:
        """Warnings of `check` before it looks at pictures, one line each. Raises UserError for what can't be right.

        Args:
            folder: that the listings are of.
            listings: by trial. By default it is said what is in none of them.
        """
        listed = {record.name for listing in listings.values() for record in listing.records}
        unlisted = [name for name in walked(folder).pictures if name not in listed]
        yield from sentences({"in no list of the data set": unlisted})


def _refuse_held_out(held_out: int, people: int) -> None:
    if not 0 <= held_out < people:
        raise UserError(
            f"data.held_out is {held_out}: of {people} training people it can be 0 to {people - 1}; choose such."
        )


def word(name: str) -> str:
    """A name as part of a file's."""
    return re.sub(r"\W+", "_", name)[:60].strip("_") or "pictures"

"""Whom a run was trained on, so that it is not tested on them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from hicmd_tf.config import Config
from hicmd_tf.data.labels import Texts, shown
from hicmd_tf.data.samples import Samples
from hicmd_tf.data.sources import DATA_SETS
from hicmd_tf.errors import UserError, counted
from hicmd_tf.files import read_json

Earlier = dict[str, list[int]]
"""Identities by data set, as `Trained.people` names it."""

ALLOW = "give --allow-trained for figures that flatter"


class Trained(NamedTuple):
    """people: of which data set the numbers are; drawn people of another seed are others. identities: ascending.
    earlier: the same of people whom weights had seen that the run began with, by data set."""

    people: str
    identities: list[int]
    earlier: Earlier = {}  # noqa: RUF012 (never changed)

    @classmethod
    def of(cls, config: Config, samples: Samples, earlier: Earlier | None = None) -> "Trained":
        """The people in some pictures of a configuration's data set."""
        people = DATA_SETS[config.data.name].people(config.data)
        return cls(people, sorted(set(samples.identities[samples.known].tolist())), earlier or {})

    def as_json(self) -> dict[str, Any]:
        """What `trained_of` reads."""
        return {name: value for name, value in self._asdict().items() if value or name != "earlier"}

    def by_data_set(self) -> Earlier:
        """Everyone."""
        own = {*self.identities, *self.earlier.get(self.people, [])}
        return {**self.earlier, self.people: sorted(own)}


def read_trained(file: Path) -> Trained | None:
    """Whom a run's file names; nothing is known where a run has none. Raises UserError for a file of anything else."""
    return trained_of(read_json(file), file) if file.is_file() else None


def trained_of(found: Any, file: Path) -> Trained:
    """`Trained` from what `as_json` made. file: it was stored in, for the error. Raises UserError for anything else."""
    match found:
        case {"people": str(people), "identities": list(identities)}:
            earlier = found.get("earlier", {})
            lists = [identities, *(earlier.values() if isinstance(earlier, dict) else [None])]
            if all(isinstance(of, list) and all(type(one) is int for one in of) for of in lists):
                return Trained(people, identities, earlier)
    raise UserError(
        f"{file} doesn't say on whom was trained, expected people and identities: take the file from where it is whole"
    )


def written(trained: Trained, texts: Texts) -> dict[str, Any]:
    """The content of a run's file: beside each number the name that people use."""
    return {**trained.as_json(), "names": [shown(one, texts) for one in trained.identities]}


def trained_among(trained: Trained | None, people: str, identities: Iterable[int]) -> list[int]:
    """Those of a data set's people whom a run's weights have seen, ascending; none where it does not say.

    people: whose the identities are, as `Trained.people` has it.
    """
    return sorted({*(trained.by_data_set() if trained else {}).get(people, [])} & {*identities})


def flattering(trained: Trained | None, people: str, identities: Iterable[int]) -> str:
    """The same as a line for who looks at what is found of them; empty where there are none."""
    known = {identity for identity in identities if identity >= 0}
    count = len(trained_among(trained, people, known))
    everyone = counted(len(known), "person")
    return f"the run was trained on {count} of these {everyone}: their figures, and hits, flatter" if count else ""


def refuse_trained(trained: Trained | None, config: Config, samples: Samples, advice: str = ALLOW) -> None:
    """Raises UserError when people in the pictures to test are known to have been trained on. advice: what else can be
    done than to test on others."""
    tested = Trained.of(config, samples)
    both = trained_among(trained, tested.people, tested.identities)
    if both:
        source = DATA_SETS[config.data.name]
        splits = source.trials > 1
        other = "the trial that the run was trained with" if splits else "pictures of other people"
        verb = "was" if len(both) == 1 else "were"
        raise UserError(
            f"{len(both)} of the {counted(len(tested.identities), 'identity')} {verb} trained on, the first is "
            f"{shown(both[0], samples.texts)}: evaluate on {other}, or {advice}"
            + "; people of folders are known by name: others of the same names are to be called otherwise"
            * source.patterned
        )

"""The comments of configs/base.yaml, which are those of the schema: `make format` writes them."""

import re
import textwrap

from hicmd_tf.config.loading import BASE, find
from hicmd_tf.config.settings import SETTINGS, notes
from hicmd_tf.files import write_text

WIDTH = 120
LINE = re.compile(r"(?P<indent> *)(?P<name>\w+):(?P<value>[^#]*)(?:#.*)?")


def commented(text: str) -> str:
    """The text of configs/base.yaml with each setting's comment as the schema has it; its head stays."""
    comments = {key: str(note) for key, note in notes()} | {key: one.comment for key, one in SETTINGS.items()}
    lines: list[str] = []
    sections: list[str] = []
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        if found is None:
            if not line.startswith(" "):  # no second line of a comment
                lines.append(line)
            continue
        sections = [*sections[: len(found["indent"]) // 2], found["name"]]
        lines += _with_comment(
            f"{found['indent']}{found['name']}:{found['value']}".rstrip(), comments[".".join(sections)]
        )
    return "\n".join(lines) + "\n"


def _with_comment(setting: str, comment: str) -> list[str]:
    """A setting and its comment, whose further lines stand below its first one."""
    before = f"{setting}  # "
    if not comment:
        return [setting]
    first, *others = textwrap.wrap(comment, WIDTH - len(before), break_long_words=False, break_on_hyphens=False)
    return [before + first, *(f"{' ' * (len(before) - 2)}# {other}" for other in others)]


def rewrite() -> None:
    """Writes configs/base.yaml anew, with its values and the schema's comments."""
    file = find(BASE)
    write_text(file, commented(file.read_text(encoding="utf-8")))

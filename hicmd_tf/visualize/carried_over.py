"""Who finds whom, as shades: rows are runs and what needs no learning, columns are the people who are asked for."""

from collections.abc import Collection, Mapping

import numpy as np

from hicmd_tf.visualize.figure import WAYS, Figure, plot_figure, png_of_plot

DARK = 0.6  # of the largest share, from which on its number is white


def carried_over(
    found: Mapping[str, Mapping[str, Mapping[str, float]]], stars: Collection[tuple[str, str, str]] = ()
) -> Figure:
    """Rank-1 as shades of one colour. found: direction -> row -> column -> fraction, of some directions. stars:
    (direction, row, column) of what is not above chance."""

    def cell(way: str, row: str, column: str) -> str:
        return f"{100 * found[way][row][column]:.1f}{'*' * ((way, row, column) in stars)}"

    most = max(share for rows in found.values() for of in rows.values() for share in of.values()) or 1.0
    first = next(iter(found.values()))
    width = 2.5 + 0.75 * max(len(of) for rows in found.values() for of in rows.values())
    canvas = plot_figure(width, len(found) * (1.3 + 0.3 * len(first)))
    said = []
    for axes, (way, rows) in zip(canvas.subplots(len(found), 1, squeeze=False)[:, 0], found.items(), strict=True):
        columns = [*next(iter(rows.values()))]
        shares = np.array([[of[column] for column in columns] for of in rows.values()])
        axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=most, aspect="auto")
        axes.set_title(f"rank-1, per cent, {WAYS[way]}")
        axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(rows)), [*rows])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > DARK * most else "black"
            axes.text(column, row, cell(way, [*rows][row], columns[column]), ha="center", va="center", color=colour)
        said += [
            f"{WAYS[way]}, {name}: {', '.join(f'{c} {cell(way, name, c)} %' for c in of)}" for name, of in rows.items()
        ]
    return Figure(
        "carry_over",
        "Who is found, by how people are drawn, or of which data set they are",
        "Rank-1, the mean over seeds. Each column's people are drawn otherwise, or of another data set. A star marks "
        "runs that are not above chance.",
        "; ".join(said),
        png_of_plot(canvas),
        plot=True,
    )

"""What the best combination takes each class for."""

from __future__ import annotations

from mmbench.report import content
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import Scene, lines, records, shown, wrapped
from mmbench.report.figures.tiles import Scale, Tile, named, traces

MOST = 60
"""Classes up to which all are shown."""
HARDEST = 30
"""Of more, so many: those that are recognised least."""
MOST_TOLD = 20
"""Classes up to which each tile has its figure on it."""
NEVER = (0.0, 0)
NAME = 14
"""Characters of a class's name."""

Shares = dict[tuple[str, str], tuple[float, int]]
"""By class and what it is taken for: the share of the class, and how often."""


def confusion(scene: Scene) -> list[Picture]:
    """Draw the confusion matrix of the best combination."""
    from mmbench.analysis.samples import confusion as count

    best = scene.part.answer.best
    if best is None:
        return []
    pairs = count(scene.cells([best]))
    if pairs.empty:
        return []
    say = scene.say
    share: Shares = {
        (row["truth"], row["predicted"]): (row["share"], row["n"]) for row in records(pairs)
    }
    every = list(dict.fromkeys(truth for truth, _ in share))
    n = sum(times for _, times in share.values())
    recall = {name: share.get((name, name), NEVER)[0] for name in every}
    classes = [*every, *dict.fromkeys(name for _, name in share if name not in recall)]
    rows = every if len(every) <= MOST else sorted(every, key=lambda name: recall[name])[:HARDEST]
    columns = classes if len(classes) <= MOST else rows
    is_told = len(columns) <= MOST_TOLD
    tiles = [[_tile(scene, share, truth, name, is_told) for name in columns] for truth in rows]
    right = sum(share.get((name, name), NEVER)[1] for name in every)
    mistakes = {pair: told for pair, told in share.items() if pair[0] != pair[1]}
    note = say("A row is a class, and its tiles are the shares that are taken for each class.")
    if len(rows) < len(every):
        note += " " + say(
            "The {n} classes that are recognised least of {all}; what they are taken for "
            "besides is not shown.",
            n=len(rows),
            all=len(every),
        )
    across = named([*map(_label, columns)]) | {"title": {"text": say("predicted")}}
    if not is_told:  # the names would cover each other
        middle = (len(columns) - 1) / 2
        across |= {"tickvals": [middle], "ticktext": [say("predicted")], "title": {}}
    return [
        Picture(
            scene.file("confusion"),
            "confusion",
            say("Confusion matrix of {name}", name=scene.names.short(best)),
            say(
                "{right} of {n} predictions are right.",
                right=right,
                n=n,
            )
            + (" " + _worst(scene, mistakes) if mistakes else ""),
            note,
            {
                "data": traces(tiles, Scale(0.0, 1.0)),
                "layout": {
                    "height": 150 + 7 * NAME * is_told + (24 if is_told else 14) * len(rows),
                    "coloraxis": Scale(0.0, 1.0).axis(say("share of the class")),
                    "xaxis": across,
                    "yaxis": {
                        **named([*map(_label, rows)]),
                        "range": [len(rows) - 0.5, -0.5],
                        "title": {"text": say("class")},
                    },
                },
            },
        )
    ]


def _tile(scene: Scene, share: Shares, truth: str, predicted: str, is_told: bool) -> Tile:
    value, n = share.get((truth, predicted), NEVER)
    hover = scene.say(
        "{truth} taken for {predicted}: {n}, {share} of the class",
        truth=wrapped(truth),
        predicted=wrapped(predicted),
        n=n,
        share=content.figure(value),
    )
    return Tile(value, f"{value:.2f}" if is_told and n else "", hover)


def _worst(scene: Scene, mistakes: Shares) -> str:
    (truth, predicted), (_, n) = max(mistakes.items(), key=lambda each: each[1][1])
    return scene.say.count(
        n,
        "No mistake is made twice.",
        "The commonest mistake, made {n} times, is {truth} taken for {predicted}.",
        truth=truth,
        predicted=predicted,
    )


def _label(name: str) -> str:
    return shown(lines(name, NAME, 1)[0])

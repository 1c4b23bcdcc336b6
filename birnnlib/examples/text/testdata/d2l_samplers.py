#!/usr/bin/env python3
"""Writes d2l_samplers.json: mini-batches by the rules of Dive into Deep
Learning, section 6.3, for the tests of the samplers in Go to compare with.

    python3 d2l_samplers.py > d2l_samplers.json

Plain Python, and written from the rules rather than from the Go code: here a
batch is a list of sequences, as in the book, not time-major and flat.

Random sampling: the text is cut into examples of `steps` characters; the last
character can only be a label, so there are (length - 1) // steps of them. They
are shuffled, and every `batch` of them in that order are a batch.

Consecutive sampling: the text is laid out in `batch` rows of length // batch
characters; each batch is the next `steps` columns of it, the labels one column
further on.
"""

import json
import random

SHUFFLE_SEED = 6


def text(length):
    """Numbers in which no window repeats, so that a wrong start shows."""
    return [(7 * i + i * i // 5) % 1009 for i in range(length)]


def random_batches(indices, batch, steps, order):
    window = lambda start: indices[start : start + steps]
    for first in range(0, len(order) - batch + 1, batch):
        starts = [example * steps for example in order[first : first + batch]]
        yield [window(s) for s in starts], [window(s + 1) for s in starts]


def consecutive_batches(indices, batch, steps):
    columns = len(indices) // batch
    rows = [indices[b * columns : (b + 1) * columns] for b in range(batch)]
    for first in range(0, columns - steps, steps):
        yield (
            [row[first : first + steps] for row in rows],
            [row[first + 1 : first + 1 + steps] for row in rows],
        )


def main():
    shuffler = random.Random(SHUFFLE_SEED)
    cases = []
    # One batch only just, several, rows with a remainder, no remainder, one
    # sequence, one step.
    for length, batch, steps in [
        (30, 2, 6), (31, 2, 6), (13, 2, 6), (14, 2, 6), (40, 3, 4), (29, 1, 7), (11, 5, 1),
    ]:
        indices = text(length)
        order = list(range((length - 1) // steps))
        shuffler.shuffle(order)
        cases.append({
            "length": length, "batch": batch, "steps": steps, "text": indices, "order": order,
            "random": [{"x": x, "y": y} for x, y in random_batches(indices, batch, steps, order)],
            "consecutive": [{"x": x, "y": y} for x, y in consecutive_batches(indices, batch, steps)],
        })

    # Numbers of batches over a range of sizes, and for the exercise's own.
    counts = []
    sizes = [(n, b, t) for n in range(1, 24, 3) for b in (1, 2, 5) for t in (1, 3, 4)]
    for length, batch, steps in sizes + [(10_000, 32, 35), (63_282, 32, 35)]:
        indices = text(length)
        order = list(range((length - 1) // steps))
        counts.append({
            "length": length, "batch": batch, "steps": steps,
            "random": len(list(random_batches(indices, batch, steps, order))),
            "consecutive": len(list(consecutive_batches(indices, batch, steps))),
        })

    section = lambda rows: "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]"
    print('{"cases":' + section(cases) + ',\n"counts":' + section(counts) + "}")


if __name__ == "__main__":
    main()

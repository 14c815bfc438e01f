"""Times two builds of the program in turn on the same trails: minima of CPU, wall and peak RSS, and the bytes of the lake.

`turns.py OLD NEW`: the two programs, each with words that it always gets: `turns.py "NEW --sha256=false" NEW` says what
the hash costs. In each round each does each verb on a new lake, so that a slow minute of the
machine meets both, and the order changes from round to round. Needs the example `corpus` in release (`make release`).
"""

import argparse
import shlex
import shutil
from pathlib import Path

from peers import SHAPES, WORK, corpus, timed

VERBS = {"run": ["run"], "ingest --events all": ["ingest", "--events", "all"]}
TURNS = ["busy", "rows", "sessions", "quiet", "giant", "rowless"]


def turn(program: list[str], verb: list[str], folder: Path, asked: argparse.Namespace) -> list[float]:
    """CPU s, wall s, peak RSS in MB, and the MB of the lake that comes of it."""
    lake = WORK / "lake-turns"
    shutil.rmtree(lake, ignore_errors=True)
    sources = [word for seed in sorted(folder.iterdir()) for word in ("--source", str(seed / "AWSLogs"))]
    program, *more = program
    given = [*more, "--lake", str(lake), "--threads", str(asked.threads), "--memory", asked.memory, *sources]
    figures = timed([str(Path(program).absolute()), *verb, *given])
    files = [path.stat().st_size for path in lake.rglob("*.parquet")]
    return [*figures, sum(files) / 1e6]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=shlex.split)
    parser.add_argument("new", type=shlex.split)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=TURNS)
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=list(VERBS))
    parser.add_argument("--records", type=int, help="trails of so many records instead")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", default="1GiB")
    asked = parser.parse_args()
    programs = [asked.old, asked.new]
    print(f"| shape | verb | CPU s | | | wall s | | | peak RSS MB | | | lake MB | | |\n{'|---' * 14}|", flush=True)
    for shape in asked.shapes:
        options = SHAPES[shape]
        folder = corpus(shape, options | {"records": asked.records or options["records"]})
        for verb in asked.verbs:
            runs: list[list[list[float]]] = [[], []]
            for n in range(asked.rounds):
                for which in (0, 1) if n % 2 == 0 else (1, 0):
                    runs[which].append(turn(programs[which], VERBS[verb], folder, asked))
            old, new = ([min(column) for column in zip(*figures)] for figures in runs)
            columns = zip(old, new, [2, 2, 0, 1])
            cells = [f"{one:.{digits}f} | {other:.{digits}f} | {other / one:.2f}" for one, other, digits in columns]
            print(f"| {shape} | {verb} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

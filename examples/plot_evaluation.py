"""Evaluate on people who do not exist, and draw what came of it.

    python examples/plot_evaluation.py FOLDER

Lays out the photos of `openpeople` as a manifest (portraits of six people as references, selfies
and full-length pictures of all ten as probes, so that four are strangers), runs `fr evaluate` in a
throw-away home, prints a table, and draws FOLDER/evaluation.png if matplotlib is there
(pip install 'fr-cli[plots]'). Twenty probes show very little: the intervals say how little.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import openpeople

PEOPLE = Path(openpeople.__file__).parent / "data" / "curated"
REFERENCES = ("P001", "P002", "P003", "P004", "P005", "P006")
PROBES = ("amateur_selfie", "amateur_posture")


def lay_out(manifest: Path) -> None:
    """One line a photo: image, subject_id, role, and its kind to group by."""
    with manifest.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("image", "subject_id", "role", "kind"))
        for person in sorted(PEOPLE.iterdir()):
            photos = person / "assets"
            if person.name in REFERENCES:
                portrait = photos / "studio_portrait.jpg"
                table.writerow((portrait, person.name, "reference", "studio"))
            for kind in PROBES:
                table.writerow((photos / f"{kind}.jpg", person.name, "probe", kind))


def evaluate(manifest: Path, home: Path) -> dict:
    """The document of `fr evaluate`, made in a new home."""
    fr = ("fr", "--json", "--home", str(home))
    subprocess.run([*fr, "init"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(
        [*fr, "evaluate", str(manifest), "--group-by", "kind"], stdout=subprocess.PIPE
    )
    if done.returncode not in (0, 100):
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def tell(result: dict) -> None:
    """Counts, rank 1, and rates at the policy's floor with their intervals."""
    counts, floor = result["counts"], result["at_floor"]
    print(f"{counts['references']} references, {counts['probes_mated']} mated and "
          f"{counts['probes_nonmated']} non-mated probes")  # fmt: skip
    low, high = result["rank1_interval"]
    print(f"rank 1           {result['rank1']:4.0%}   95 % interval {low:.0%} to {high:.0%}")
    rates = [(name, floor[name]) for name in ("tpir", "fpir")]
    rates += [(f"tpir {group['group']['kind']}", group["tpir"]) for group in result["groups"]]
    for name, rate in rates:
        if rate and rate["value"] is not None:
            print(f"{name:21} {rate['cases']:2} of {rate['of']:<2}   "
                  f"95 % interval {rate['low']:.0%} to {rate['high']:.0%}")  # fmt: skip


def draw(result: dict, picture: Path) -> None:
    """The trade of errors by threshold, and the rank at which the right person stands."""
    try:
        import matplotlib
    except ImportError:
        print("No picture: matplotlib is missing (pip install 'fr-cli[plots]').")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (trade, ranks) = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    curve = result["det"]
    cosines = [point["threshold_cosine"] for point in curve]
    for name, words in (("fpir", "strangers who get a candidate"), ("fnir", "people missed")):
        trade.step(cosines, [point[name] for point in curve], where="pre", label=words)
    trade.set(xlabel="threshold (cosine)", ylabel="share", ylim=(-0.02, 1.02))
    trade.legend()
    shares = result["cmc"][: len(REFERENCES)]
    ranks.plot(range(1, len(shares) + 1), shares, marker="o")
    ranks.set(xlabel="rank", ylabel="share of mated probes found up to it", ylim=(0, 1.05))
    counts = result["counts"]
    figure.suptitle(f"{counts['probes_mated']} mated and {counts['probes_nonmated']} non-mated "
                    "probes: far too few for a rate")  # fmt: skip
    figure.savefig(picture, dpi=120)
    print(f"Drawn: {picture}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder) / "labels.csv")
        document = evaluate(Path(folder) / "labels.csv", Path(folder) / "home")
    tell(document)
    draw(document, Path(sys.argv[1]) / "evaluation.png")

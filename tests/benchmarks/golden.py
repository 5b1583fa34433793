"""Record what models make of the golden photo, for fr_cli/face/golden/expected.json.

    python -m tests.benchmarks.golden NAME …

Only for a model that enters the catalogue, or whose feeding was changed on purpose; the others
stay as they are. The weights must be in the account's folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fr_cli.face import golden
from fr_cli.face.pipeline import FacePipeline

PLACE = Path(golden.__file__).with_name("expected.json")


def main(names: list[str]) -> None:
    kept = json.loads(PLACE.read_text())
    for name in names:
        with FacePipeline.load(embedder=name) as pipeline:
            vector = golden.embedded(pipeline)
            kept[pipeline.fingerprint] = [round(float(x), 4) for x in vector]
            print(f"{name}: {pipeline.fingerprint}")
    rows = (f' "{key}": {json.dumps(row, separators=(",", ":"))}' for key, row in kept.items())
    PLACE.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""A dip sample as the log has it: which references were drawn, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field

from fr_cli.audit.show import ActRecord, acts
from fr_cli.errors import UsageProblem
from fr_cli.operations.audit import log_of
from fr_cli.operations.bench import Bench
from fr_cli.records import Listener

DRAW = "sample draw"
RECORD = "sample record"


@dataclass
class Drawn:
    """A sample as the log has it: of each stratum how many there were, and which were drawn.

    `order` are the random ids of the references by their number on the sheet, `stratum` is by
    them. `findings` are empty until they are recorded, by the act `recorded`.
    """

    id: str
    at: str
    order: list[str] = field(default_factory=list)
    stratum: dict[str, str] = field(default_factory=dict)
    population: dict[str, int] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)
    recorded: str = ""


def of_log(sample_id: str, bench: Bench, listener: Listener) -> Drawn:
    """A sample that was drawn in this home; UsageProblem if the log knows none of this id."""
    found: Drawn | None = None
    recorded: list[ActRecord] = []
    for one in acts(log_of(bench.site.home).read(listener=listener)):
        if one.state != "done":
            continue
        if one.command == DRAW and one.req == sample_id:
            found = _drawn(one)
        elif one.command == RECORD and one.decision.get("sample") == sample_id:
            recorded.append(one)
    if found is None:
        raise UsageProblem(
            f"The log of this home knows no sample {sample_id!r}.",
            hint="See what was drawn with: fr audit show --command 'sample draw'",
        )
    for one in recorded[:1]:
        found.recorded = one.req
        for entry in one.entries:
            if entry["ph"] == "batch":
                uids = entry["references"]
                assert isinstance(uids, list)
                found.findings |= dict.fromkeys(map(str, uids), str(entry["finding"]))
    return found


def _drawn(act: ActRecord) -> Drawn:
    sample = Drawn(act.req, act.start)
    for entry in act.entries:
        if entry["ph"] == "batch":
            name, uids = str(entry["stratum"]), entry["drawn"]
            assert isinstance(uids, list)
            sample.population[name] = int(str(entry["references"]))
            sample.order += map(str, uids)
            sample.stratum |= dict.fromkeys(map(str, uids), name)
    return sample


def safe_id(text: str) -> str:
    """For the intent: a random id, or that it was none."""
    return text if len(text) == 32 and text.isalnum() and text.isascii() else "(no id)"

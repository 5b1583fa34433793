"""`fr audit`: check the signed log, prove what is in it, read it, and look after it."""

from __future__ import annotations

from fr_cli.cli.audit import disclose, expire, proofs, rotate, show, stamp, verify, witness
from fr_cli.cli.options import group

app = group("Check, prove, read and look after the signed log.")
app.command("verify")(verify.verify)
app.command("head")(proofs.head)
app.command("prove")(proofs.prove)
app.command("check-proof")(proofs.check_proof)
app.command("witness")(witness.witness)
app.command("stamp")(stamp.stamp)
app.command("show")(show.show)
app.command("export")(disclose.export)
app.command("extract")(disclose.extract)
app.command("rotate")(rotate.rotate)
app.command("expire")(expire.expire)

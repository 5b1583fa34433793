"""Mutation testing: change the code in one place, run the tests, list the changes nobody saw.

    python -m tests.mutation.run merkle log act lease verify check shapes resuming waiting writer

Not run in CI: each mutant takes a run of the tests (a TMPDIR in memory makes it shorter). The
package is copied, so the working tree is never changed. A mutant is killed by a failing test; by a
run beyond the time limit too, but those are counted apart, because a busy machine could be the
cause.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
ROOM = Path("fr_cli/audit")
#: The tests that are about each module first, so that most mutants die early.
TESTS = {
    "merkle": ["tests/audit/test_merkle.py", "tests/attacks/test_edit.py"],
    "log": [
        "tests/audit/test_log.py", "tests/audit/test_lease.py", "tests/audit/test_waiting.py",
        "tests/audit/test_resuming.py", "tests/audit/test_rotation.py",
        "tests/audit/test_erasing.py", "tests/audit/test_reboot.py", "tests/audit/test_crash.py",
        "tests/audit/test_failing_calls.py",
    ],
    "verify": ["tests/audit/test_verify.py", "tests/audit/test_chunks.py", "tests/attacks"],
    "check": [
        "tests/audit/test_verify.py", "tests/audit/test_rotation.py", "tests/audit/test_chunks.py",
        "tests/attacks",
    ],
    "shapes": ["tests/audit/test_shapes.py", "tests/audit/test_chunks.py"],
    "act": [
        "tests/audit/test_log.py", "tests/audit/test_lease.py", "tests/audit/test_waiting.py",
        "tests/audit/test_failing_calls.py",
    ],
    "lease": [
        "tests/audit/test_lease.py", "tests/audit/test_reboot.py",
        "tests/audit/test_failing_calls.py", "tests/operations/test_doctor.py",
    ],
    "resuming": [
        "tests/audit/test_resuming.py", "tests/audit/test_log.py", "tests/audit/test_crash.py",
        "tests/audit/test_rotation.py", "tests/audit/test_reboot.py", "tests/audit/test_waiting.py",
        "tests/audit/test_erasing.py",
        "tests/attacks/test_fork.py", "tests/attacks/test_truncation.py",
        "tests/attacks/test_key_ranges.py",
    ],
    "waiting": ["tests/audit/test_waiting.py"],
    "writer": [
        "tests/audit/test_log.py", "tests/audit/test_crash.py", "tests/audit/test_rotation.py",
        "tests/audit/test_resuming.py", "tests/audit/test_waiting.py",
        "tests/audit/test_erasing.py", "tests/audit/test_reboot.py",
        "tests/audit/test_failing_calls.py", "tests/audit/test_states.py",
        "tests/attacks/test_fork.py", "tests/attacks/test_truncation.py",
        "tests/attacks/test_key_ranges.py",
    ],
}  # fmt: skip
UNCHANGED = ["cryptography.hazmat.primitives.serialization", "hypothesis.stateful", "openpeople"]
SLOW = "not kill_9 and not eight_processes and not bit_flips and not real_processes"
LIMIT = 300.0
KILLED, LATE, SURVIVED = "killed", "beyond the time", "survived"

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+", choices=TESTS)
    for module in UNCHANGED:  # most of a short run is their import
        importlib.import_module(module)
    for name in parser.parse_args().modules:
        source = (ROOT / ROOM / f"{name}.py").read_text()
        if tried(name, source) != SURVIVED:
            sys.exit(f"The tests of {name} fail before anything is changed.")
        fates = Counter[str]()
        for line, what, text in mutants(source):
            fate = tried(name, text)
            fates[fate] += 1
            if fate != KILLED:
                print(f"{name}.py:{line} {fate}: {what}", flush=True)
        of_them = ", ".join(f"{count} {fate}" for fate, count in fates.items())
        print(f"{name}.py: {fates.total()} mutants: {of_them}", flush=True)


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Each change: its line, what it is, the changed source."""
    count = sum(1 for _ in ast.walk(ast.parse(source)))
    for index in range(count):
        for variant in range(2):
            tree = ast.parse(source)
            node = next(node for at, node in enumerate(ast.walk(tree)) if at == index)
            before = ast.unparse(node) if isinstance(node, (ast.expr, ast.stmt)) else ""
            if change(node, variant):
                what = f"`{before.splitlines()[0]}` -> `{ast.unparse(node).splitlines()[0]}`"
                yield getattr(node, "lineno", 0), what, ast.unparse(tree)


def change(node: ast.AST, variant: int) -> bool:
    """Change a node in place; False if there is no such change."""
    if isinstance(node, ast.Compare) and variant == 0:
        node.ops[0] = COMPARISONS[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp) and variant == 0:
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, (ast.If, ast.IfExp)):
        node.test = ast.Constant(value=bool(variant))
    elif isinstance(node, ast.Constant) and isinstance(node.value, int) and variant == 0:
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and variant == 0:
        if type(node.op) not in (ast.Add, ast.Sub):
            return False
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and variant == 0:
        node.op = ast.UAdd()
        node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
        ast.fix_missing_locations(node)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and variant == 0:
        node.value = ast.Constant(value=None)
        ast.fix_missing_locations(node)
    else:
        return False
    return True


def tried(name: str, text: str) -> str:
    """What becomes of the tests with this module in the place of the true one."""
    with tempfile.TemporaryDirectory() as folder:
        for tree in ("fr_cli", "tests"):
            shutil.copytree(
                ROOT / tree, Path(folder, tree), ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copy(ROOT / "pyproject.toml", folder)
        Path(folder, ROOM, f"{name}.py").write_text(text)
        child = os.fork()
        if child == 0:
            _run(name, Path(folder))
        deadline = time.monotonic() + LIMIT
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return LATE
            time.sleep(0.05)
        return KILLED if ended[1] else SURVIVED


def _run(name: str, folder: Path) -> NoReturn:
    """Run the tests in this process, and end it."""
    code: int = 1
    try:
        os.setpgid(0, 0)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        os.chdir(folder)
        os.environ |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        for loaded in [one for one in sys.modules if one.split(".")[0] in ("tests", "fr_cli")]:
            del sys.modules[loaded]
        sys.path[:] = [str(folder), *(path for path in sys.path if Path(path) != ROOT)]
        options = ["-p", "no:cacheprovider", "-qx", "-k", SLOW, f"--basetemp={folder}/basetemp"]
        code = int(pytest.main([*options, *TESTS[name]]))
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()

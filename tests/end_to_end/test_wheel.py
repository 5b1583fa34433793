"""What a wheel installs is all that is needed: the demo runs from one, far from the source."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAIN = "from fr_cli.cli.main import app; app()"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the wheel; pip builds it as it would for anybody."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("there is no pip here to build a wheel with")
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if "No matching distribution found for hatchling" in done.stderr:
        pytest.skip("the index with what builds a wheel cannot be reached")
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, models: Path, code: str, *words: str) -> str:
    data = installed.parent / "data"
    (data / "fr").mkdir(parents=True, exist_ok=True)
    if not (data / "fr" / "models").exists():
        (data / "fr" / "models").symlink_to(models)
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=installed.parent, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": str(installed), "XDG_DATA_HOME": str(data)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_demo_runs_from_a_wheel_and_keeps_its_home(
    installed: Path, models: Path, tmp_path: Path
) -> None:
    place = run(installed, models, "import fr_cli; print(fr_cli.__file__)")
    assert place.startswith(str(installed))
    told = run(installed, models, MAIN, "demo", "--keep", str(tmp_path / "home"))
    assert "every signature checked" in told
    assert f"fr --home {tmp_path / 'home'} status" in told
    assert (tmp_path / "home" / "policy.yaml").exists()


def test_pages_and_pictures_are_in_the_wheel(installed: Path) -> None:
    source = {
        path.relative_to(ROOT)
        for path in (ROOT / "fr_cli").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {path.relative_to(installed) for path in (installed / "fr_cli").rglob("*")}
    assert source - packed == set()

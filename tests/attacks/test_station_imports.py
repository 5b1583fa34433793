"""Attack: files in the working folder or on PATH and PYTHONPATH of an officer, to be run as the
service.

Defence: the service was started long before, with its own; a request starts nothing of the client.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.conftest import MATED, jpeg, small
from tests.service.station import Station


def test_no_file_of_the_client_is_run_by_the_service(station: Station) -> None:
    trap = Path(tempfile.mkdtemp(dir=station.folder))
    trap.chmod(0o777)
    mark = trap / "ran"
    code = f"import os; open({str(mark)!r}, 'a').write(str(os.getuid()) + '\\n')\n"
    for name in ("cv2", "numpy", "sitecustomize", "usercustomize"):
        (trap / f"{name}.py").write_text(code)
    program = trap / "python3"
    program.write_text(f'#!/bin/sh\nid -u >> {mark}\nexec /usr/bin/python3 "$@"\n')
    program.chmod(0o755)
    for one in trap.iterdir():
        one.chmod(0o755)
    environment = station.desk.environment()
    words = ("identify", "-", "--case", "CR/26/1", "--reason", "test")
    station.json(
        "officer",
        *words,
        stdin=jpeg(small(MATED)),
        PATH=f"{trap}:{environment['PATH']}",
        PYTHONPATH=f"{trap}:{environment['PYTHONPATH']}",
    )
    ran = set(mark.read_text().split()) if mark.exists() else set()
    assert str(station.desk.accounts["service"].uid) not in ran
    assert str(os.getuid()) not in ran

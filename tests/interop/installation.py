"""An installation of spool-deliver that other accounts can run: the tests' own Python may lie in root's home."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

from tests.interop.needs import need

CHECKOUT: Final = Path(__file__).resolve().parents[2]
NOBODY: Final = 65534
SECONDS: Final = 60


def install_for_everybody(directory: Path) -> Path:
    """Lay out launcher, Python and packages so that every account may run them; the path of ``spool-deliver``."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    pythons = [Path(sys.base_prefix) / "bin" / version, Path("/usr/bin") / version]
    usable = [python for python in pythons if _runs(python)]
    need(bool(usable), f"a {version} that every account may run")
    return lay_out(directory, usable[0], version)


def lay_out(directory: Path, python: Path, version: str) -> Path:
    """Lay out launcher, Python and packages as an installer does; the path of ``spool-deliver``.

    Args:
        directory: where.
        python: the interpreter.
        version: what its library calls itself, such as ``python3.11``.
    """
    packages = directory / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    for name in ("accounts", "delivery", "mta", "notify", "popd", "serving", "spool", "tools"):
        (packages / name).symlink_to(CHECKOUT / name)
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    program = directory / "bin" / "spool-deliver"
    program.parent.mkdir()
    program.with_name("python3").symlink_to(python)
    program.write_bytes((CHECKOUT / "launchers" / "spool-deliver").read_bytes())
    program.chmod(0o755)
    (directory / "pyvenv.cfg").write_text(f"home = {python.parent}\n")
    return program


def _runs(python: Path) -> bool:
    try:
        return subprocess.run([python, "-V"], check=False, user=NOBODY, group=NOBODY, timeout=SECONDS).returncode == 0
    except OSError:
        return False

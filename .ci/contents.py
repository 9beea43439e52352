"""Check what a wheel and a source distribution hold: ``contents.py WHEEL SDIST``."""

import subprocess
import sys
import tarfile
import zipfile

LARGEST = {"wheel": 1, "source distribution": 6}  # MB
NOT_WANTED = (
    "__pycache__",
    ".pyc",
    "doc/_build",
    "doc/generated",
    "doc/auto_examples",
    ".egg-info",
)


def check(kind, names, sizes, needed):
    """Print the size; exit with what is missing or not wanted."""
    megabytes = sum(sizes) / 1e6
    print(f"{kind}: {len(names)} files, {megabytes:.2f} MB unpacked")
    missing = sorted(set(needed) - set(names))
    surplus = [name for name in names if any(part in name for part in NOT_WANTED)]
    if kind == "wheel":
        surplus += [name for name in names if not name.startswith(("skmdlam/", "skmdlam-"))]
    else:
        surplus = [name for name in surplus if not name.startswith("skmdlam.egg-info/")]
    if missing or surplus:
        sys.exit(f"{kind}: missing {missing}, not wanted {surplus}")


def main(wheel, sdist):
    """Compare both with the files that git knows."""
    known = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True)
    known = known.stdout.splitlines()
    with zipfile.ZipFile(wheel) as archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
    package = [name for name in known if name.startswith("skmdlam/") and name.endswith(".py")]
    check("wheel", names, [info.file_size for info in infos], package)
    for line in ("License-Expression: BSD-3-Clause", "License-File: LICENSE"):
        if line not in text.splitlines():
            sys.exit(f"wheel: METADATA without {line!r}")
    if infos_mb(wheel) > LARGEST["wheel"]:
        sys.exit(f"wheel: {infos_mb(wheel):.1f} MB")
    with tarfile.open(sdist) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
    names = [member.name.partition("/")[2] for member in members]
    hidden = (".gitignore",)
    needed = [name for name in known if name not in hidden]
    check("source distribution", names, [member.size for member in members], needed)
    if infos_mb(sdist) > LARGEST["source distribution"]:
        sys.exit(f"source distribution: {infos_mb(sdist):.1f} MB")


def infos_mb(path):
    """Size of a file in MB."""
    with open(path, "rb") as file:
        return file.seek(0, 2) / 1e6


if __name__ == "__main__":
    main(*sys.argv[1:])

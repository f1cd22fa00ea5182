"""Makes sure of what pip cannot install: Python's own venv, Qt's libraries, a virtual display.

Run by the Makefile with the system's Python before there is an environment; standard library only.
With ``--tests`` also what the tests need: a validator of DICOM files, a PACS and a browser.
Where something is missing it is installed by apt-get if that is possible without asking, that is
as root on Debian or Ubuntu; else the command to give is printed and the exit status is 1.
"""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys

# Library that Qt or OpenGL opens at run time -> Debian's package. Where a release renamed the
# package (libglib2.0-0t64), apt resolves the old name.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libOpenGL.so.0": "libopengl0",
    "libGLX_mesa.so.0": "libgl1-mesa-dri libglx-mesa0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
DISPLAY_PROGRAMS = {"xvfb-run": "xvfb", "xauth": "xauth"}
TEST_PROGRAMS = {
    "dciodvfy": "dicom3tools",
    "Orthanc": "orthanc orthanc-dicomweb",
    "chromium": "chromium",
}
OTHER_NAMES = {"chromium": ("chromium-browser", "google-chrome")}
"""Programs that do as well."""
VENV_MODULES = {"venv": "python3-venv", "ensurepip": "python3-venv"}


def is_loadable(library: str) -> bool:
    """Whether the dynamic linker finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def is_installed(program: str) -> bool:
    """Whether a program, or one that does as well, is on the path."""
    return any(map(shutil.which, (program, *OTHER_NAMES.get(program, ()))))


def missing_packages() -> list[str]:
    """Debian's names of what is not there."""
    missing = {p for m, p in VENV_MODULES.items() if importlib.util.find_spec(m) is None}
    missing |= {package for library, package in LIBRARIES.items() if not is_loadable(library)}
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        missing |= {p for program, p in DISPLAY_PROGRAMS.items() if shutil.which(program) is None}
    if "--tests" in sys.argv:
        missing |= {package for name, package in TEST_PROGRAMS.items() if not is_installed(name)}
    return sorted({name for names in missing for name in names.split()})


def apt_install(packages: list[str]) -> None:
    """Install Debian packages without asking."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    options = ["-qq", "--yes", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0"]
    subprocess.run(
        ["apt-get", "install", *options, *packages],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )


def main() -> str | None:
    """The sentence to stop with, or `None` if everything is there."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this is where an older one is told so
        version = ".".join(map(str, sys.version_info[:2]))
        return f"Python 3.11 or newer is needed, this is {version}. Name another: make PYTHON=..."
    if not sys.platform.startswith("linux"):
        return None
    packages = missing_packages()
    if not packages:
        return None
    if shutil.which("apt-get") is None:
        return (
            f"System packages are missing; Debian calls them: {' '.join(packages)}. "
            "Install what your distribution calls them, and try again."
        )
    if os.geteuid() != 0:
        return (
            "System packages are missing. Install them, and try again:\n"
            f"    sudo apt-get install --no-install-recommends {' '.join(packages)}"
        )
    print("Installing system packages:", *packages, flush=True)
    apt_install(packages)
    still = missing_packages()
    return f"These packages were installed and are still not usable: {still}." if still else None


if __name__ == "__main__":
    sys.exit(main())

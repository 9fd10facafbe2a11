"""External programs: finding them and running them with a fixed environment."""
import os
import shutil
import subprocess

# The time every guest file, file system and log of the lab claims to be from.
LAB_TIME = 1700000000

EXIT_SKIP = 77

_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"


class LabError(Exception):
    """Something is wrong; the text says what."""


class MissingTool(LabError):
    """A program the kind needs is not installed (exit status 77)."""


def missing(names):
    return [name for name in names if shutil.which(name, path=_PATH) is None]


def require(names):
    absent = missing(names)
    if absent:
        raise MissingTool("needs " + ", ".join(absent) + ", not installed")


def run(*argv, stdin=None, check=True):
    """Run a program; the result has returncode, stdout and stderr as bytes.

    Time, time zone, locale and configuration are pinned so that the output depends on the
    arguments alone.
    """
    environment = {
        "PATH": _PATH,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(LAB_TIME),
        "E2FSPROGS_FAKE_TIME": str(LAB_TIME),
        "MKE2FS_CONFIG": os.devnull,
        "MTOOLS_SKIP_CHECK": "1",
        "MTOOLSRC": os.devnull,
    }
    try:
        done = subprocess.run([str(a) for a in argv], input=stdin, env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    except FileNotFoundError as error:
        raise MissingTool(f"needs {argv[0]}, not installed") from error
    if check and done.returncode != 0:
        message = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise LabError(f"{argv[0]} failed with status {done.returncode}: {message}")
    return done

"""A release, from `make` to GitHub's notes, in a clone: real git, real tools, no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from packaging.version import Version

from tick_pipeline import __version__
from tick_pipeline_tests.ci.workflows import ROOT, WORKFLOWS, run_script

BIN = Path(sys.executable).parent
#: What a release reads and writes, taken as it lies here: the clone has what was committed.
FILES = (
    "CHANGELOG.md",
    "Makefile",
    "cliff.toml",
    "docker-compose.yaml",
    "pyproject.toml",
    "tick_pipeline/__init__.py",
)
ENTRY = "## [Unreleased]\n\n### Added\n\n- Something that a user notices.\n"
RELEASE = WORKFLOWS["release"]


class Clone:
    """A clone of this repository in which the version here has just been released."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            **{f"GIT_{who}_NAME": "Tester" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "tester@example.com" for who in ("AUTHOR", "COMMITTER")},
        }
        self.run("git", "clone", "--quiet", "--no-tags", str(ROOT), ".")
        # Of the user's own settings, those that would ask for a key or run something.
        for setting in ("commit.gpgSign", "tag.gpgSign"):
            self.run("git", "config", setting, "false")
        self.run("git", "config", "core.hooksPath", os.devnull)
        for name in FILES:
            shutil.copyfile(ROOT / name, folder / name)
        self.put_unreleased(ENTRY)
        self.run("git", "tag", f"v{__version__}")

    def run(self, *words: str) -> str:
        """What a command that must succeed printed."""
        done = self.attempt(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The same for one that may fail."""
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def make(self, target: str) -> subprocess.CompletedProcess[str]:
        """A target of the Makefile with the tools of this environment, which stays as it is."""
        return self.attempt(
            "make", "--no-print-directory", "--old-file", ".venv/.installed", f"BIN={BIN}", target
        )

    def read(self, name: str) -> str:
        """The text of a file."""
        return (self.folder / name).read_text(encoding="utf-8")

    def put_unreleased(self, entry: str) -> None:
        """Commit a changelog with this entry in front of its releases, whatever stands in ours."""
        text = self.read("CHANGELOG.md")
        released = re.search(r"(?m)^## \[\d", text)
        head = text[: text.index("## [Unreleased]")]
        rest = text[released.start() :] if released else ""
        (self.folder / "CHANGELOG.md").write_text(f"{head}{entry}\n{rest}", encoding="utf-8")
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "Write the entry")

    def commit(self, *subjects: str) -> None:
        """Empty commits of these subjects."""
        for subject in subjects:
            self.run("git", "commit", "--quiet", "--allow-empty", "--message", subject)

    def state(self) -> tuple[str, str, str]:
        """The commit, the tags and what is changed."""
        return (
            self.run("git", "rev-parse", "HEAD"),
            self.run("git", "tag"),
            self.run("git", "status", "--porcelain"),
        )


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    folder = tmp_path / "clone"
    folder.mkdir()
    return Clone(folder)


def raised(part: str) -> str:
    """The version after ours."""
    major, minor, patch = Version(__version__).release
    return {
        "patch": f"{major}.{minor}.{patch + 1}",
        "minor": f"{major}.{minor + 1}.0",
        "major": f"{major + 1}.0.0",
    }[part]


@pytest.mark.parametrize("part", ["patch", "minor", "major"])
def test_a_release_raises_the_version_everywhere_and_tags_its_commit(
    part: str, clone: Clone
) -> None:
    done = clone.make(part)
    assert done.returncode == 0, done.stdout + done.stderr
    version = raised(part)
    assert f'__version__ = "{version}"\n' in clone.read("tick_pipeline/__init__.py")
    assert f'\nversion = "{version}"\n' in clone.read("pyproject.toml")
    assert f"image: tick-pipeline:{version}\n" in clone.read("docker-compose.yaml")
    assert clone.run("git", "log", "-1", "--format=%s") == f"Release {version}\n"
    assert clone.run("git", "describe", "--exact-match") == f"v{version}\n", "an annotated tag"
    assert clone.run("git", "status", "--porcelain") == ""


def test_no_file_goes_on_naming_the_version_before(clone: Clone) -> None:
    """A new place that names the version of this package belongs under [tool.bumpversion]."""
    before = re.escape(__version__)
    pattern = rf"tick[-_]pipeline[-:=@]+v?{before}\b|^(__version__|version) = .{before}."
    named = ["git", "grep", "--name-only", "--extended-regexp", pattern]
    assert clone.attempt(*named).stdout.splitlines() == [
        "docker-compose.yaml",
        "pyproject.toml",
        "tick_pipeline/__init__.py",
    ]
    assert clone.make("patch").returncode == 0
    assert clone.attempt(*named).stdout == ""


def test_what_stood_under_unreleased_stands_under_the_release(clone: Clone) -> None:
    before = clone.read("CHANGELOG.md")
    began = datetime.now(timezone.utc)
    assert clone.make("minor").returncode == 0
    # It may be midnight meanwhile.
    headings = {
        f"## [{raised('minor')}] - {at:%Y-%m-%d}" for at in (began, datetime.now(timezone.utc))
    }
    moved = {ENTRY.replace("## [Unreleased]", f"## [Unreleased]\n\n{each}") for each in headings}
    assert clone.read("CHANGELOG.md") in {before.replace(ENTRY, each) for each in moved}


def test_a_release_of_which_nothing_is_written_is_refused_and_changes_nothing(
    clone: Clone,
) -> None:
    clone.put_unreleased("## [Unreleased]\n")
    before = clone.state()
    done = clone.make("patch")
    assert done.returncode != 0
    assert "## [Unreleased]" in done.stderr
    assert clone.state() == before


def test_a_release_over_uncommitted_changes_is_refused(clone: Clone) -> None:
    (clone.folder / "README.md").write_text("unfinished", encoding="utf-8")
    before = clone.state()
    assert clone.make("patch").returncode != 0
    assert clone.state() == before


def test_our_changelog_can_be_released() -> None:
    """Its Unreleased is empty, or begins as the release expects it."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    [rest] = text.split("## [Unreleased]\n")[1:]
    assert re.match(r"\n### |\n## \[\d|\n*\Z", rest)


def test_the_draft_groups_the_commits_since_the_release_and_touches_no_file(clone: Clone) -> None:
    clone.commit("Add a price feed", "Mend the feed\n\nIt was slow.", "Drop the old feed")
    clone.commit("Test the feed", "Read the feed in blocks", "Release 9.9.9", "Merge a branch")
    before = clone.state()
    done = clone.make("changelog")
    assert done.returncode == 0, done.stderr
    draft = re.sub(r" \([0-9a-f]{7}\)", "", done.stdout)
    assert re.sub(r"\n+", "\n", draft).splitlines() == [
        "## Not released",
        "### Added",
        "- Add a price feed",
        "### Changed",
        "- Read the feed in blocks",
        "### Removed",
        "- Drop the old feed",
        "### Fixed",
        "- Mend the feed",
        "### Tests, measurements, pages and upkeep",
        "- Test the feed",
    ]
    assert clone.state() == before


def test_the_release_refuses_a_tag_that_is_not_the_version(clone: Clone) -> None:
    script = RELEASE.script("Compare the tag with the version")
    for tag, code in ((f"v{__version__}", 0), (f"v{__version__}1", 1), (__version__, 1)):
        environment = {**clone.environment, "GITHUB_REF_NAME": tag}
        done = run_script(script, cwd=clone.folder, environment=environment)
        assert done.returncode == code, tag
        assert done.stdout.startswith("::error::") is bool(code)


def test_the_release_is_made_of_the_wheel_and_of_notes_on_its_own_commits(clone: Clone) -> None:
    clone.commit("Add a price feed")
    assert clone.make("minor").returncode == 0
    clone.commit("Add what comes later")
    clone.run("git", "checkout", "--quiet", tag := f"v{raised('minor')}")
    (clone.folder / ".venv").mkdir()
    (clone.folder / ".venv" / "bin").symlink_to(BIN)
    (clone.folder / "dist").mkdir()
    (clone.folder / "dist" / "a.whl").touch()
    environment = {
        **clone.environment,
        "GITHUB_REF_NAME": tag,
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "someone/ticks",
        "PATH": f"{clone.folder}:{os.environ['PATH']}",
    }
    gh = clone.folder / "gh"
    gh.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    gh.chmod(0o755)
    scripts = [RELEASE.script(name) for name in ("Write the notes", "Release")]
    wrote, released = (
        run_script(script, cwd=clone.folder, environment=environment) for script in scripts
    )
    assert wrote.returncode == released.returncode == 0, wrote.stderr + released.stderr
    notes = clone.read("dist/notes.md")
    assert notes.startswith(f"## {tag} - ")
    assert re.findall(r"(?m)^- (.+) \(", notes) == ["Add a price feed"]
    assert f"https://github.com/someone/ticks/blob/{tag}/CHANGELOG.md" in notes
    asked = released.stdout.split()
    assert asked[:4] == ["release", "create", tag, "dist/a.whl"]
    assert "--verify-tag" in asked

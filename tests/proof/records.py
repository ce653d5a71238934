"""What was found so far, kept in a folder: an interrupted run goes on, and what Flink did is not asked again.

FOLDER/flink/left/VERSION-DIGEST.json        what an old version left, by all that it is made of
FOLDER/flink/VERSION/happened/CASE.json      what Flink did with a case
FOLDER/flink/VERSION/verdicts/CASE.json      what scurry said, by its own code
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

import scurry
from tests.proof.real_flink import Happened, Left
from tests.proof.verdicts import Verdict

if TYPE_CHECKING:
    from scurry.model.desired import Desired
    from tests.proof.cases import Case, Take

T = TypeVar("T", Left, Happened, Verdict)


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    of: str = ""
    """of a verdict: the key of what Flink did, that it is about"""
    content: msgspec.Raw


class Records:
    """What is known of one Flink version."""

    def __init__(self, folder: Path, version: str) -> None:
        self._folder = folder / "flink" / version
        self._code = code_digest()

    def left(self, old: Desired, take: Take) -> tuple[str, Left | None]:
        """Return the name under which to keep what an old version left, and that if it is known and still there."""
        name = f"../left/{old.flink_version}-{_digest(old.digest(), take.value)}"
        found = self._find(name, "", Left)
        there = found is not None and (Path(found.location.removeprefix("file:")) / "_metadata").is_file()
        return name, found if there else None

    def happened(self, case: Case, old: Desired, new: Desired) -> tuple[str, Happened | None]:
        """Return the key of what Flink did with a case, and that if it is known."""
        key = _digest(old.digest(), new.digest(), case.take.value)
        return key, self._find(f"happened/{case.name}", key, Happened)

    def verdict(self, case: Case, happened: str) -> tuple[str, Verdict | None]:
        """Return the key of scurry's verdict, and that if its code did not change since."""
        key = _digest(happened, self._code)
        return key, self._find(f"verdicts/{case.name}", key, Verdict)

    def keep(self, name: str, key: str, content: Left | Happened | Verdict, *, of: str = "") -> None:
        """Keep something."""
        path = self._folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        kept = _Kept(key=key, of=of, content=msgspec.Raw(msgspec.json.encode(content)))
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(kept)))
        draft.rename(path)

    def both(self, case: Case) -> tuple[Happened, Verdict] | None:
        """Return what Flink did with a case and what scurry said of that, if its code changed since or not."""
        happened, verdict = self._read(f"happened/{case.name}"), self._read(f"verdicts/{case.name}")
        if happened is None or verdict is None or verdict.of != happened.key:
            return None
        return msgspec.json.decode(happened.content, type=Happened), msgspec.json.decode(verdict.content, type=Verdict)

    def _find(self, name: str, key: str, type_: type[T]) -> T | None:
        kept = self._read(name)
        return msgspec.json.decode(kept.content, type=type_) if kept and key == kept.key else None

    def _read(self, name: str) -> _Kept | None:
        path = self._folder / f"{name}.json"
        return msgspec.json.decode(path.read_bytes(), type=_Kept) if path.is_file() else None


def code_digest() -> str:
    """Return the digest of all of scurry's code that a verdict may depend on."""
    root = Path(scurry.__file__).parent
    parts = ("engine", "savepoints", "flink", "model", "artifacts", "preflight.py", "inspection.py")
    files = [path for part in parts for path in sorted([root / part, *(root / part).rglob("*")]) if path.is_file()]
    sources = [path for path in files if path.suffix in {".py", ".java"}]
    return _digest(*(hashlib.sha256(path.read_bytes()).hexdigest() for path in sources))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]

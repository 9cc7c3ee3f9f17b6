"""The bundle store: files named by the digest of their content, in a folder or behind an fsspec URL."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from prefect_sluice.domain.digests import Json, canonical, digest, digest_bytes
from prefect_sluice.domain.errors import BadInput, BundleDamaged
from prefect_sluice.runtime.file_modes import follows, make_private
from prefect_sluice.runtime.redaction import concealed, mask_url

_HEX = frozenset("0123456789abcdef")
_DIGITS = 64
_MODES = {"644": 0o644, "755": 0o755}
_LINK = "link"


class _Place(Protocol):
    def read(self, name: str) -> bytes:
        """Return a file's content. Raises FileNotFoundError."""
        ...

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None if there is none."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file, so that it is there whole or not at all as far as the place can do that."""
        ...


class BundleStore:
    """Content-addressed files, each at `<first two digits>/<digest>`. Nothing is ever changed here.

    Every file is checked against its digest when it is read. A power cut may lose the last files written
    (they are not synced one by one): `get` finds that out, and `put` writes a file anew whose size is wrong.
    """

    def __init__(self, url: str, options: Mapping[str, Json] | None = None) -> None:
        """Take a folder's path or an fsspec URL, and what its file system takes; the folder is made by the first `put`."""
        self._url = mask_url(url)  # for messages only
        if url.startswith("file://"):
            url = url2pathname(urlsplit(url).path)
        self._place: _Place = _Remote(url, options or {}) if "://" in url else _Folder(Path(url))

    def put(self, content: bytes) -> str:
        """Store `content` and return its SHA-256. Safe to repeat, and in several processes at once."""
        key = digest_bytes(content)
        name = _name(key)
        if self._place.size(name) != len(content):
            self._place.write(name, content)
        elif isinstance(self._place, _Folder):
            self._place.touch(name)
        return key

    def get(self, digest: str) -> bytes:
        """Return the content. Raises BadInput when it is missing, BundleDamaged when it is another."""
        name = _name(digest)
        try:
            content = self._place.read(name)
        except FileNotFoundError as error:
            fix = "restore the bundle store, or release the commit again: sluice release"
            raise BadInput(f"bundle file {digest[:12]} is missing", where=self._url, fix=fix) from error
        if digest_bytes(content) != digest:
            raise BundleDamaged(digest, f"{self._url}/{name}")
        return content

    def has(self, digest: str) -> bool:
        """Say whether a file of that digest is here; whether it is whole, only `get` tells."""
        return self._place.size(_name(digest)) is not None

    @property
    def url(self) -> str:
        """Where it is, as it was given."""
        return self._url

    @property
    def folder(self) -> Path | None:
        """The folder it is in, None behind another URL. There, a file's time of change is when it was last put."""
        return self._place.root if isinstance(self._place, _Folder) else None

    def files(self) -> tuple[Any, str]:
        """Return fsspec's file system that it is in, and its path there without a slash at the end. Raises BadInput."""
        if isinstance(self._place, _Remote):
            files, root = self._place.files()
            return files, root.rstrip("/")
        local: Any = import_module("fsspec")
        return local.filesystem("file"), str(self.folder)

    def put_page(self, name: str, content: bytes) -> None:
        """Write a page that people read, over an older one, if the store is behind a URL: any machine's web server finds it
        there. The one file here that is not named by its content; nothing of Sluice's ever reads it. Safe to repeat."""
        if isinstance(self._place, _Remote):
            self._place.write(name, content)

    def put_document(self, value: Json) -> str:
        """Store a value as canonical JSON and return its digest. Raises ValueError for NaN and infinities."""
        return self.put(canonical(value))

    def get_document(self, digest: str) -> Json:
        """Return the value; sequences come back as lists. Raises what `get` does, BadInput for no JSON."""
        try:
            return cast("Json", json.loads(self.get(digest)))
        except ValueError as error:
            raise BadInput(f"bundle file {digest[:12]} is not a document", where=self._url) from error

    def checkout(self, files: Mapping[str, str], folder: Path) -> None:
        """Write a release's files into `folder`: all of them, or nothing.

        `files` maps a relative path to "mode:sha256" (mode 644, 755, or link: the content is its target).
        A folder that an earlier call completed with the same files is used as it is, anything else in its
        place is replaced; `<folder>.complete` beside it tells. Raises BundleDamaged for a file that is not
        what its digest says, and for a path or link that leaves the folder. Safe to repeat.
        """
        mark = digest(files)
        if _is_complete(folder, mark):
            _marker(folder).touch()  # the collector leaves alone what was used lately
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            fresh.chmod(0o755)
            self._fill(fresh, files)
            _swap_in(fresh, folder, mark)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def forget_checkout(self, folder: Path) -> None:
        """Have the next `checkout` of a folder replace it, whatever it holds. Safe to repeat."""
        _marker(folder).unlink(missing_ok=True)

    def _fill(self, folder: Path, files: Mapping[str, str]) -> None:
        links: dict[Path, str] = {}
        for path, content in files.items():
            mode, _, key = content.partition(":")
            place = folder / _checked(path, key, files)
            place.parent.mkdir(parents=True, exist_ok=True)
            if mode == _LINK:
                links[place] = key
            elif mode in _MODES:
                place.write_bytes(self.get(key))
                place.chmod(_MODES[mode])
            else:
                raise BundleDamaged(key, f"{path!r} (mode {mode!r})")
        for place, key in links.items():
            _link(place, key, self.get(key))
        for place, key in links.items():  # when all are there: one may lead through another
            _check_link(place, key, folder)


def _name(key: str) -> str:
    if len(key) != _DIGITS or not _HEX.issuperset(key):
        raise BadInput(f"{key[:_DIGITS]!r} is not a digest", fix="give 64 hexadecimal digits")
    return f"{key[:2]}/{key}"


def _checked(path: str, key: str, files: Mapping[str, str]) -> PurePosixPath:
    """Return a path that stays inside, and that no other file is a folder of."""
    checked = PurePosixPath(path)
    plain = str(checked) == path and not checked.is_absolute() and "\0" not in path
    if not plain or path == "." or ".." in checked.parts:
        raise BundleDamaged(key, f"{path!r} (it leaves the folder)")
    if any(str(parent) in files for parent in checked.parents):
        raise BundleDamaged(key, f"{path!r} (it lies inside another file)")
    return checked


def _link(place: Path, key: str, target: bytes) -> None:
    try:
        place.symlink_to(os.fsdecode(target))
    except (OSError, ValueError) as error:  # nothing, a zero byte, too long
        raise BundleDamaged(key, f"{place.name} (it is not a link)") from error


def _check_link(link: Path, key: str, folder: Path) -> None:
    target = Path(os.path.realpath(link))
    # An absolute one would point into the temporary folder at best.
    if link.readlink().is_absolute() or not target.is_relative_to(os.path.realpath(folder)):
        raise BundleDamaged(key, f"{link.relative_to(folder)} (the link leaves the folder)")


def _marker(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.complete")


def _is_complete(folder: Path, mark: str) -> bool:
    try:
        return folder.is_dir() and _marker(folder).read_text() == mark
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def _swap_in(fresh: Path, folder: Path, mark: str) -> None:
    if _is_complete(folder, mark):
        return  # another process was faster
    if folder.exists():
        stale = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        folder.rename(stale / "stale")
        shutil.rmtree(stale, ignore_errors=True)
    # The marker first: a marker without its folder means nothing, a folder without its marker is replaced.
    write_whole(_marker(folder), mark.encode(), mode=0o644)
    try:
        fresh.rename(folder)
    except OSError:
        if not _is_complete(folder, mark):
            raise


def write_whole(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file so that nobody ever sees a part of it. The folder has to be there, and says to whom it is open, whatever
    `mode` says. Safe to repeat."""
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), follows(path.parent, mode))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def touch(self, name: str) -> None:
        # The collector leaves alone what was put lately: a release that is packed right now may need it.
        with contextlib.suppress(OSError):  # somebody else's file
            os.utime(self.root / name)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def size(self, name: str) -> int | None:
        try:
            return (self.root / name).stat().st_size
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        try:
            write_whole(path, content, mode=0o444)
        except FileNotFoundError:
            make_private(self.root)
            path.parent.mkdir(mode=self.root.stat().st_mode & 0o7777, exist_ok=True)
            write_whole(path, content, mode=0o444)


class _Remote:
    def __init__(self, url: str, options: Mapping[str, Json]) -> None:
        self._url = url.rstrip("/")
        self._options = options
        self._opened: tuple[Any, str] | None = None

    def files(self) -> tuple[Any, str]:
        if self._opened is None:
            self._opened = _filesystem(self._url, self._options)
        return self._opened

    def read(self, name: str) -> bytes:
        files, root = self.files()
        return files.cat_file(f"{root}/{name}")

    def size(self, name: str) -> int | None:
        files, root = self.files()
        try:
            return files.info(f"{root}/{name}")["size"]
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        # Object stores show whole objects only. Others may keep a part: `get` and the next `put` see it.
        files, root = self.files()
        path = f"{root}/{name}"
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.pipe_file(path, content)


def _filesystem(url: str, options: Mapping[str, Json]) -> tuple[Any, str]:
    # Here, not above: most projects keep their bundles in a folder.
    fsspec: Any = import_module("fsspec")  # it has no types
    try:
        return fsspec.url_to_fs(url, **options)
    except (ValueError, TypeError, ImportError) as error:
        why = f"the bundle store cannot be opened: {concealed(str(error))}"
        raise BadInput(why, where=mask_url(url)) from error

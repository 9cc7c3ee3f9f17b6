"""The reports as web pages: what lies in the folder, and nothing else."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from prefect_sluice.local_server.report_pages import Pages


def status(url: str | urllib.request.Request) -> int:
    """Return the HTTP status of a page."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_report_is_read_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    pages = Pages(folder)
    try:
        (folder / "a1b2c3d.html").write_text("<p>said</p>", encoding="utf-8")
        (folder / "link.html").symlink_to(tmp_path / "secret")
        (folder / "loop.html").symlink_to(folder / "loop.html")
        (tmp_path / "secret").write_text("no", encoding="utf-8")
        with urllib.request.urlopen(f"{pages.url}/a1b2c3d.html", timeout=10) as answer:
            assert answer.read() == b"<p>said</p>"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert [
            status(f"{pages.url}/{name}")
            for name in (
                *("", "other.html", "../secret", "%2e%2e/secret", "link.html"),
                *("%00", "a%00.html", "n" * 5000, "%ff%fe", "loop.html", "loop.html/x", "%2e"),
            )
        ] == [404] * 12
        assert pages.url.startswith("http://127.0.0.1:")
    finally:
        pages.close()


def test_it_ends(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    pages.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(pages.url, timeout=2)


def test_a_name_that_was_made_to_lead_here_gets_nothing(tmp_path: Path) -> None:
    (tmp_path / "a1b2c3d.html").write_text("<p>said</p>", encoding="utf-8")
    pages = Pages(tmp_path)
    try:
        port = pages.url.rpartition(":")[2]
        for host, expected in ((f"localhost:{port}", 200), (f"evil.example:{port}", 403)):
            request = urllib.request.Request(f"{pages.url}/a1b2c3d.html", headers={"Host": host})
            assert status(request) == expected
    finally:
        pages.close()

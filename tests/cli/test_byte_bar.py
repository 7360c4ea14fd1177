"""Progress in bytes."""

from __future__ import annotations

from napari_gmff.cli.byte_bar import ByteBar


def test_the_bar_follows_restarts(capsys):
    with ByteBar("m", quiet=False) as bar:
        for done, total in ((0, None), (1000, 2000), (0, 2000), (2000, 2000)):
            bar.update(done, total)
        assert (bar._bar.n, bar._bar.total) == (2000, 2000)
    assert "m: 100%" in capsys.readouterr().err


def test_a_quiet_bar_shows_nothing(capsys):
    with ByteBar("m", quiet=True) as bar:
        bar.update(1, 2)
    assert capsys.readouterr().err == ""

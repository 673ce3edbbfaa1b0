"""`dev.py check` runs the demonstration, or a check with the given arguments."""

import pytest

import dev

DEMO = ("demo", str(dev.ROOT / "build" / "shop"))
UPDATE = ("db", "update")


@pytest.mark.parametrize(
    ("args", "codes", "expected", "meaning"),
    [
        ((), [0], [DEMO], "the demonstration worked"),
        ((), [3], [DEMO], dev.MEANING[3]),
        (("shop",), [0, 0], [UPDATE, ("check", "shop")], dev.MEANING[0]),
        (("shop",), [3, 1], [UPDATE, ("check", "shop")], dev.MEANING[1]),
        (("-q", "."), [0, 7], [UPDATE, ("check", "-q", ".")], "unknown"),
    ],
)
def test_check_runs_these_commands_and_explains_the_exit_code(
    args: tuple[str, ...],
    codes: list[int],
    expected: list[tuple[str, ...]],
    meaning: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands: list[tuple[str, ...]] = []

    def run(program: str, *argv: str) -> int:
        assert program == "scanagg"
        commands.append(argv)
        return codes[len(commands) - 1]

    monkeypatch.setattr(dev, "setup", lambda: 0)
    monkeypatch.setattr(dev, "run", run)
    assert dev.check(args) == codes[-1]
    assert commands == expected
    assert f"exit code {codes[-1]}: {meaning}" in capsys.readouterr().out

"""How a dataclass declares the options of a command."""

from collections.abc import Iterator
from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli.declare import (
    Choice,
    argument,
    comma_separated,
    listed,
    option,
    takes,
    values_of,
)

COLOURS: list[str] = ["red", "green"]


@dataclass(frozen=True, kw_only=True)
class Colours:
    colour: str | None = option("--colour", type=Choice(lambda: iter(COLOURS)), help="Its colour.")
    shade: str = option(
        "--shade", default="light", choices=lambda: COLOURS, help="One of {choices}."
    )


@dataclass(frozen=True, kw_only=True)
class PaintOptions:
    names: tuple[str, ...] = argument(nargs=-1)
    colours: Colours
    size: int | None = option("--size", type=int, help="How large.")
    debug: bool = option("--debug", is_flag=True, help="Show the traceback.")


PAINTED: list[PaintOptions] = []


@click.command("paint")
@takes(PaintOptions, stopped="Nothing was painted.")
def paint(options: PaintOptions) -> None:
    """Paint something."""
    if options.size == 13:
        raise SettingsError("--size 13 is unlucky.")
    if options.size == 0:
        raise KeyboardInterrupt
    if options.size == -1:
        raise ZeroDivisionError("division by zero")
    PAINTED.append(options)


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(paint, arguments)
    return result.exit_code, result.output


@pytest.fixture
def blue() -> Iterator[None]:
    """A name that is registered after the command was made."""
    COLOURS.append("blue")
    yield
    COLOURS.remove("blue")


def test_a_command_gets_its_options_as_one_value() -> None:
    assert call("a", "b", "--colour", "red", "--size", "3") == (0, "")
    options = PAINTED.pop()
    expected = Colours(colour="red", shade="light")
    assert options == PaintOptions(names=("a", "b"), colours=expected, size=3, debug=False)
    assert values_of(options.colours) == {"colour": "red", "shade": "light"}
    assert values_of(options)["shade"] == "light"


def test_options_are_shown_in_the_order_of_the_fields() -> None:
    _, text = call("--help")
    positions = [text.index(name) for name in ("--colour", "--shade", "--size", "--debug")]
    assert positions == sorted(positions)
    assert "Paint something." in text


def test_names_to_choose_from_are_asked_for_when_they_are_shown(blue: None) -> None:
    _, text = call("--help")
    assert "[red|green|blue]" in text and "One of red, green or blue." in text
    assert call("--colour", "blue") == (0, "")
    assert PAINTED.pop().colours.colour == "blue"


def test_a_name_that_is_gone_is_refused() -> None:
    code, text = call("--colour", "blue")
    assert code == 2 and "'blue' is not one of 'red', 'green'" in text
    assert "[red|green]" in call("--help")[1]


@pytest.mark.parametrize(
    ("size", "code", "message"),
    [
        ("13", 2, "Error: --size 13 is unlucky.\n"),
        ("0", 130, "Stopped. Nothing was painted.\n"),
        (
            "-1",
            1,
            "Error: ZeroDivisionError: division by zero (this is a fault of the program; --debug "
            "shows where)\n",
        ),
    ],
)
def test_errors_become_a_message_and_an_exit_code(size: str, code: int, message: str) -> None:
    assert call("--size", size) == (code, message)


@pytest.mark.parametrize(("size", "kind"), [("13", SettingsError), ("-1", ZeroDivisionError)])
def test_with_debug_errors_go_on(size: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        CliRunner().invoke(paint, ["--size", size, "--debug"], catch_exceptions=False)


def test_names_are_listed_and_read() -> None:
    assert [listed(["a"]), listed(["a", "b"]), listed("abc")] == ["a", "a or b", "a, b or c"]
    assert comma_separated(" a, b,,c ") == ("a", "b", "c")
    assert comma_separated(None) == ()

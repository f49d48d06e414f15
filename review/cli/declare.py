"""Commands that take their options as one frozen dataclass, whose fields declare them.

A field is an `option`, an `argument`, or a group of them: another dataclass, which several commands
may share. Names to choose from are asked of their owner only when they are shown or checked.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, get_type_hints

import click
from click.shell_completion import CompletionItem

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.progress import default_activity
from review_embeddings.review.cli.errors import CONTINUES, handled
from review_embeddings.review.cli.jsonlines import writing_lines

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder

Command = Callable[..., None]
Decorator = Callable[[Command], Command]
Choices = Callable[[], Iterable[str]]
"""Gives the names that there are now, in the order in which they are shown."""

PATH_KINDS = {"DIR": "dir", "RUN": "dir", "FILE": "file"}
"""By an option's metavar, what a shell offers for it; a data set or a model may be a folder, but
many are names of the Hub."""

PARAMETER = "parameter"
"""Key in a field's metadata: gives click's decorator for the field's name."""

PLACEHOLDER = "{choices}"
"""Stands in a help text for the names that there are."""

Group = TypeVar("Group")


class CommandOptions(Protocol):
    """What the options of every command have."""

    @property
    def debug(self) -> bool:
        """Whether the traceback of an error is shown."""
        ...


def option(*names: str, choices: Choices | None = None, **settings: Any) -> Any:
    """A field that is an option; ``settings`` are those of click.

    ``{choices}`` in its help stands for the names that ``choices`` gives.
    """

    def parameter(name: str) -> Decorator:
        return click.option(*names, name, cls=_Option, choices=choices, **settings)

    return dataclasses.field(metadata={PARAMETER: parameter})


def output_option(*names: str, **settings: Any) -> Any:
    """A field that is an option which says where something is written: a `Target`, of which a
    command gets a path only by having it checked. Every such option is declared with this."""
    return option(*names, type=OutputPath(names[0]), **settings)


def argument(**settings: Any) -> Any:
    """A field that is an argument; ``settings`` are those of click."""

    def parameter(name: str) -> Decorator:
        return click.argument(name, cls=_Argument, **settings)

    return dataclasses.field(metadata={PARAMETER: parameter})


def takes(
    kind: type[CommandOptions], *, stopped: str = CONTINUES, activity: str = "Reading the run"
) -> Decorator:
    """Let a function that takes such a dataclass as its last argument be click's callback.

    Errors become messages and exit codes; ``stopped`` is what is said after Ctrl-C, ``activity``
    while nothing more is known of what the command does.
    """

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def call(*arguments: Any, **values: Any) -> None:
            options = collect(kind, values)
            lines = writing_lines(getattr(options, "json_lines", False))
            place = _place_of(options)
            watched = default_activity(activity)
            with lines, watched, handled(debug=options.debug, stopped=stopped, place=place):
                function(*arguments, options)

        command: Command = call
        for parameter in reversed(list(_parameters(kind))):
            command = parameter(command)
        return command

    return decorate


def _place_of(options: CommandOptions) -> str | None:
    """Where a command writes: what it makes, else its run."""
    given = (getattr(options, name, None) for name in ("out", "run"))
    return next((str(one) for one in given if one), None)


def collect(kind: type[Group], values: Mapping[str, Any]) -> Group:
    """The dataclass whose fields, and those of its groups, have these values."""
    return kind(
        **{
            name: values[name] if inner is None else collect(inner, values)
            for name, inner in _fields(kind)
        }
    )


def values_of(*groups: Any) -> dict[str, Any]:
    """The values of these groups by the names of their options."""
    values: dict[str, Any] = {}
    for one in groups:
        for name, inner in _fields(type(one)):
            value = getattr(one, name)
            values |= {name: value} if inner is None else values_of(value)
    return values


def listed(names: Iterable[str]) -> str:
    """``a, b or c``."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def comma_separated(text: str | None) -> tuple[str, ...]:
    """``a, b`` as its names; none of an option that was not given."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


class Choice(click.Choice):  # type: ignore[type-arg, unused-ignore]  # generic since click 8.2
    """One of the names that their owner gives when they are needed."""

    def __init__(self, choices: Choices) -> None:
        self._load = choices
        self.case_sensitive = True

    @property
    def choices(self) -> Sequence[str]:  # type: ignore[override]
        """The names of now: an extension may have been registered since the command was made."""
        return tuple(self._load())


@dataclasses.dataclass(frozen=True)
class Target:
    """What an option for output names; a path only once it was checked what is there."""

    name: str
    option: str

    def __str__(self) -> str:
        return self.name

    def file(self, run: RunFolder) -> Path:
        """The path of a file. Raises SettingsError where it must not be written."""
        from review_embeddings.review.exchange.targets import check_target

        path = local_path(self.name, self.option)
        check_target(run, path, self.option)
        return path

    def file_beside(self, sources: Iterable[Path]) -> Path:
        """The path of a file that is of no run, outside some data sets. Raises SettingsError
        likewise."""
        from review_embeddings.review.exchange.targets import check_target_beside

        path = local_path(self.name, self.option)
        check_target_beside(sources, path, self.option)
        return path

    def folder(self, run: RunFolder) -> Path:
        """The path of a folder that is new, or empty. Raises SettingsError likewise."""
        from review_embeddings.review.exchange.targets import check_folder

        path = local_path(self.name, self.option)
        check_folder(run, path, self.option)
        return path


def file_target(target: Target | None, run: RunFolder) -> Path | None:
    """The path of a file that an option names, if it is given."""
    return None if target is None else target.file(run)


def local_path(name: str, option: str) -> Path:
    """A path on this machine. Raises SettingsError for the address of a store."""
    from review_embeddings.pipeline.run.storage import is_address

    if is_address(name):
        raise SettingsError(
            f"{option} {name}: this must be on this machine, not in a store. Name a folder or file "
            f"here."
        )
    return Path(name)


class OutputPath(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # likewise
    """Where something is written, not looked at yet."""

    name = "path"

    def __init__(self, option: str) -> None:
        self._option = option

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The text as a `Target`."""
        if not value:
            self.fail(f"{self._option} is empty. Name a file or folder.", param, ctx)
        return value if isinstance(value, Target) else Target(value, self._option)


class _Option(click.Option):
    """An option whose help may name what there is to choose from."""

    def __init__(self, *names: Any, choices: Choices | None, **settings: Any) -> None:
        self._choices = choices
        super().__init__(*names, **settings)

    @property
    def help(self) -> str | None:
        """The help text with the names of now."""
        if self._help is None or self._choices is None or PLACEHOLDER not in self._help:
            return self._help
        return self._help.replace(PLACEHOLDER, listed(self._choices()))

    @help.setter
    def help(self, text: str | None) -> None:
        self._help = text

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers: the names of now, of several the last one; else files or folders
        where the value is one."""
        names = [] if self._choices is None else [*self._choices()]
        if not names or names[0].startswith("."):  # endings of files
            return _paths(self.metavar, incomplete) or super().shell_complete(ctx, incomplete)
        before = incomplete[: incomplete.rfind(",") + 1]
        offered = (before + name for name in names)
        return [CompletionItem(one) for one in offered if one.startswith(incomplete)]


class _Argument(click.Argument):
    """An argument: a file, or a run."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers."""
        return _paths("FILE", incomplete)


def _paths(metavar: str | None, incomplete: str) -> list[CompletionItem]:
    """Has a shell offer paths of the kind that a metavar names; nothing for others."""
    kind = PATH_KINDS.get(metavar or "")
    return [] if kind is None else [CompletionItem(incomplete, type=kind)]


def _parameters(kind: type[Any]) -> Iterator[Decorator]:
    """Click's decorators of all options, in the order of the fields."""
    by_name = {field.name: field for field in dataclasses.fields(kind)}
    for name, inner in _fields(kind):
        if inner is None:
            yield by_name[name].metadata[PARAMETER](name)
        else:
            yield from _parameters(inner)


def _fields(kind: type[Any]) -> tuple[tuple[str, type[Any] | None], ...]:
    """The names of a dataclass's fields, each with the dataclass that is its group, or None."""
    types = get_type_hints(kind)
    return tuple(
        (field.name, None if PARAMETER in field.metadata else types[field.name])
        for field in dataclasses.fields(kind)
    )

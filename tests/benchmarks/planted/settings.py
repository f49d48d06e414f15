"""What is planted: each setting is one training, with a name that says all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

KINDS = ("any", "second", "matrix", "pairs")
"""To any other class, to a model's second choice, drawn from a confusion matrix, to the class that
is easily taken for it."""

SHARES = (0.05, 0.20)

STRANGERS = ("gray", "coloured", "patches", "class")
"""Clothes of Fashion-MNIST, the same coloured, patches of photographs, a class that is no label."""

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Setting:
    """One training: its images, what is wrong with them, and its seed."""

    seed: int
    data: str = "cifar"
    """``cifar``: photographs, a pretrained EfficientNet; ``digits``: a network that learns by
    heart."""
    kind: str = "none"
    """One of `KINDS`, or ``none`` for no wrong label."""
    share: float = 0.0
    """Of the images whose label is wrong."""
    images: int = 4000
    groups: tuple[tuple[str, int], ...] = ()
    """Kind (`STRANGERS`) and size of each group of foreign images."""
    one_label: bool = False
    """Whether all images of a group have the same label; else any, at random."""
    copies: float = 0.0
    """Share of near duplicates with another label."""
    checkpoints: int = 8

    @property
    def name(self) -> str:
        """Such as ``cifar-4000-pairs-20-gray40-s0``."""
        parts = [self.data, str(self.images), self.kind]
        parts += [f"{round(100 * self.share):02}"] if self.share else []
        parts += [f"{kind}{size}" for kind, size in self.groups]
        parts += ["onelabel"] if self.one_label else []
        parts += [f"copies{round(1000 * self.copies)}"] if self.copies else []
        return "-".join([*parts, f"s{self.seed}"])


PLANTED_GROUPS = (
    (("gray", 40), ("patches", 20)),
    (("coloured", 20), ("patches", 100)),
    (("class", 40), ("gray", 20)),
    (("coloured", 40), ("gray", 10)),
    (("patches", 40), ("class", 20)),
    (("gray", 100), ("coloured", 10)),
    (("class", 100), ("patches", 10)),
    (("coloured", 100), ("class", 10)),
)
"""The groups of the eight kinds and shares of wrong labels, in turns over the seeds."""


def frozen() -> list[Setting]:
    """The same with a small network on the frozen embedding."""
    return [replace(setting, data="frozen") for setting in core()]


def core() -> list[Setting]:
    """All kinds and shares of wrong labels, with groups, by three seeds; the clean ones first, on
    which the same is planted after the fact."""
    wrong = [(kind, share) for share in SHARES for kind in KINDS]
    clean = (PLANTED_GROUPS[0], PLANTED_GROUPS[1], PLANTED_GROUPS[3])
    found = [Setting(seed, groups=groups) for seed, groups in zip(SEEDS, clean, strict=True)]
    for seed in SEEDS:
        for number, (kind, share) in enumerate(wrong):
            groups = PLANTED_GROUPS[(number + 3 * seed) % len(PLANTED_GROUPS)]
            found.append(Setting(seed, kind=kind, share=share, groups=groups))
    return found


def by_heart() -> list[Setting]:
    """The digits."""
    wrong = [(kind, share) for share in SHARES for kind in KINDS]
    of_wrong = [
        Setting(seed, "digits", kind, share, images=1400) for kind, share in wrong for seed in SEEDS
    ]
    return [Setting(seed, "digits", images=1400) for seed in SEEDS] + of_wrong


def more() -> list[Setting]:
    """What is tried beyond the core, as far as there is time."""
    found = [Setting(0)]
    found += [
        Setting(seed, kind=kind, share=0.05, copies=0.05)
        for kind in ("any", "pairs")
        for seed in SEEDS
    ]
    found += [
        Setting(seed, kind="matrix", share=0.05, groups=groups, one_label=True)
        for seed, groups in zip(
            SEEDS, (PLANTED_GROUPS[0], PLANTED_GROUPS[4], PLANTED_GROUPS[3]), strict=True
        )
    ]
    found += [
        Setting(seed, kind=kind, share=share, images=1000)
        for kind, share in (("any", 0.05), ("matrix", 0.2))
        for seed in SEEDS
    ]
    found += [
        Setting(seed, kind="matrix", share=0.05, images=10_000, checkpoints=4) for seed in SEEDS
    ]
    return found


def smoke() -> list[Setting]:
    """In seconds, without pretrained weights or photographs."""
    return [
        Setting(0, "digits", "matrix", 0.2, images=300, checkpoints=4),
        Setting(0, "digits", images=300, checkpoints=4),
    ]


SETS = {"core": core, "frozen": frozen, "by_heart": by_heart, "more": more}
"""By name."""

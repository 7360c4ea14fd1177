"""What the licences of the models ask for, in short and in our own words."""

from __future__ import annotations

from dataclasses import dataclass

MEDICAL_RESTRICTION = "To provide medical advice and medical results interpretation"
"""Attachment A of CreativeML Open RAIL++-M, word for word: what nobody may use the model for."""


@dataclass(frozen=True)
class License:
    """A licence that a user agrees to.

    Attributes
    ----------
    name : str
        As people call it.
    spdx : str
        SPDX expression, for the model card.
    url : str
        Where its whole text is.
    terms : tuple of str
        What it says, sentence by sentence.
    """

    name: str
    spdx: str
    url: str
    terms: tuple[str, ...]


OPEN_RAIL = License(
    name="CreativeML Open RAIL++-M",
    spdx="LicenseRef-CreativeML-Open-RAIL-PlusPlus-M",
    url="https://github.com/Stability-AI/stablediffusion/blob/"
    "ca86da3a30c4e080d4db8c25fca73de843663cb4/LICENSE-MODEL",
    terms=(
        "Use, also commercial use, is free, and you answer for what you make with the model.",
        "What its Attachment A forbids is forbidden to you too. Word for word, one item is: "
        f"“{MEDICAL_RESTRICTION}”.",
        "The other items are unlawful use; harm to minors; false statements that harm; personal "
        "data that can harm; defamation; automatic decisions on legal rights; discrimination; "
        "use of people's weaknesses; and justice, law enforcement, immigration and asylum.",
        "Whoever gets the model, or one made from it, from you must be bound by the same.",
    ),
)

APACHE = License(
    name="Apache License 2.0",
    spdx="Apache-2.0",
    url="https://www.apache.org/licenses/LICENSE-2.0",
    terms=(
        "Use, change and redistribution are free; notices must be kept, and there is no warranty.",
    ),
)

MIT = License(
    name="MIT License",
    spdx="MIT",
    url="https://opensource.org/licenses/MIT",
    terms=("Use is free where the notice is kept, and there is no warranty.",),
)

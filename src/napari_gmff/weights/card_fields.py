"""Kinds of values that model cards are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

# Lower case only and no dot at either end: a name is also a folder's name, and must mean the
# same folder on file systems that ignore case or drop trailing dots, and never leave the store.
NAME_PATTERN = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
_SPDX_ID = r"[A-Za-z0-9][A-Za-z0-9.+:-]*"
_SPDX_PATTERN = rf"^\(*{_SPDX_ID}\)*(?: (?:AND|OR|WITH) \(*{_SPDX_ID}\)*)*$"

ModelName = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SpdxExpression = Annotated[str, StringConstraints(pattern=_SPDX_PATTERN)]
# One line without control characters: cards of others are printed on terminals.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=4000)]


class CardPart(BaseModel):
    """Base of a card and of what is in it: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

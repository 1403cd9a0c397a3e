"""What the models of answers are built on, and pages of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import pandas

T = TypeVar("T", bound=BaseModel)


class Base(BaseModel):
    """A part of an answer. Members that this version does not know are kept as they came."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class Open(Base):
    """An answer of which only the names that it has are known: `answer.id`, `answer.model_extra`."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def frame_of(rows: Sequence[BaseModel]) -> pandas.DataFrame:
    """A row each; nested members become columns such as `scores.accuracy`. Needs pandas."""
    import pandas

    return pandas.json_normalize([row.model_dump(mode="json") for row in rows])


class Page(Base, Generic[T]):
    """One page of a list."""

    data: list[T]
    total: int | None = None
    """Of all pages; None where it is not counted, or is more than the server counts."""
    total_at_least: int | None = None
    """How far the server counted, where there are more."""
    has_more: bool = False
    next_cursor: str | None = None

    @classmethod
    def read(cls, answer: dict[str, Any]) -> Page[T]:
        pagination = answer["pagination"]
        return cls.model_validate(
            {
                "data": answer["data"],
                "total": pagination.get("total"),
                "total_at_least": pagination.get("total_at_least"),
                "has_more": pagination["has_more"],
                "next_cursor": pagination["next_cursor"],
            }
        )

    def to_pandas(self) -> pandas.DataFrame:
        return frame_of(self.data)

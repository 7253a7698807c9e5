"""Models and columns: nullable, required, keyed; names of columns and headers are no tenants."""

from dataclasses import dataclass

from pydantic import BaseModel
from sqlalchemy import Column, ForeignKey, Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    org_id = Column(Integer, ForeignKey("orgs.id"), nullable=True)
    tenant_id: Mapped[int | None] = mapped_column(default=None)


class NoteOut(BaseModel):
    org_id: int | None = None
    workspace_id: str


@dataclass
class Filter:
    org_id: int | None = None


class Settings(BaseModel):
    tenant_column: str = "tenant_id"
    org_id_header: str = "X-Org-ID"


def policy(table: str, tenant_id: str = "tenant_id") -> str:
    return f"CREATE POLICY p ON {table} USING ({tenant_id} = 1)"

"""A model whose tenant has a default."""

from pydantic import BaseModel


class CreateNote(BaseModel):
    title: str
    organization_id: int = 1

"""The oracles: one file, one question about isolation."""

from interlock.testing.oracles.base import Oracle
from interlock.testing.oracles.content import ContentOracle
from interlock.testing.oracles.existence import ExistenceOracle
from interlock.testing.oracles.hints import HintOracle
from interlock.testing.oracles.integrity import IntegrityOracle
from interlock.testing.oracles.misfiled import MisfiledOracle
from interlock.testing.oracles.natural_keys import NaturalKeyOracle
from interlock.testing.oracles.noninterference import NonInterferenceOracle
from interlock.testing.oracles.row_ids import RowIdOracle
from interlock.testing.oracles.sessions import SessionOracle

ORACLES: tuple[type[Oracle], ...] = (
    ContentOracle,
    RowIdOracle,
    NonInterferenceOracle,
    ExistenceOracle,
    NaturalKeyOracle,
    IntegrityOracle,
    MisfiledOracle,
    HintOracle,
    SessionOracle,
)

__all__ = ["ORACLES", "Oracle"]

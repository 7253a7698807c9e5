"""One call of each system, in an environment that has the wheel and nothing else."""

from __future__ import annotations

import sys

import interlock
from interlock import canonical_json, shell_command_hash
from interlock.dedup import DedupIndex, Proposal
from interlock.gates import Gates
from interlock.targets import docker_logical_key
from interlock.tenancy import current_org_id, tenant_scope

assert shell_command_hash("docker  stop 'web'") == shell_command_hash("docker stop web")
assert canonical_json({"b": 1, "a": 2**60}) == b'{"a":1152921504606846976,"b":1}'
assert docker_logical_key("docker stop -t 10 web") == "stop:web"

index = DedupIndex()
with tenant_scope("acme"):
    assert current_org_id() == "acme"
    assert not index.propose(Proposal.shell("docker stop web")).duplicate
    assert index.propose(Proposal.shell("docker  stop web")).duplicate

gate = Gates().window("http_503", 1, 60.0)
assert [gate.allow() for _ in range(3)] == [True, False, False]
assert gate.suppressed() == 2

sys.stdout.write(f"interlock {interlock.__version__} works on {sys.version.split()[0]}\n")

"""The public keys as files: all that a stranger needs, with the keys of former years."""

import json
from pathlib import Path

from custody.certificates.checkpoint import NoteSigner, new_log_key, read_verifier_keys
from custody.certificates.public_keys import publish_keys
from custody.certificates.signing import Role, Signer, new_key, read_keys

SIGNER, RECEIPTS, LOG = Signer(new_key()), Signer(new_key(), role=Role.RECEIPT), NoteSigner(new_log_key())


def kids(directory: Path) -> list[str]:
    return [key["kid"] for key in json.loads((directory / "jwks.json").read_bytes())["keys"]]


def test_both_keys_and_the_logs_are_published(tmp_path: Path) -> None:
    publish_keys(tmp_path, (SIGNER, RECEIPTS), LOG.verifier_key())
    assert kids(tmp_path) == [SIGNER.key_id, RECEIPTS.key_id, LOG.key.name]
    assert read_keys((tmp_path / "jwks.json").read_bytes()).keys
    assert read_verifier_keys((tmp_path / "log.vkey").read_text()) == (LOG.key,)


def test_publishing_again_changes_no_byte(tmp_path: Path) -> None:
    publish_keys(tmp_path, (SIGNER, RECEIPTS), LOG.verifier_key())
    before = {each.name: (each.read_bytes(), each.stat().st_ino) for each in tmp_path.iterdir()}
    publish_keys(tmp_path, (SIGNER, RECEIPTS), LOG.verifier_key())
    assert before == {each.name: (each.read_bytes(), each.stat().st_ino) for each in tmp_path.iterdir()}


def test_a_first_version_that_knew_one_key_gets_the_others(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(SIGNER.public_keys())
    publish_keys(tmp_path, (SIGNER, RECEIPTS), LOG.verifier_key())
    assert kids(tmp_path) == [SIGNER.key_id, RECEIPTS.key_id, LOG.key.name]


def test_the_keys_of_former_years_stay(tmp_path: Path) -> None:
    publish_keys(tmp_path, (SIGNER, RECEIPTS), LOG.verifier_key())
    later, later_log = Signer(new_key()), NoteSigner(new_log_key())
    publish_keys(tmp_path, (later, RECEIPTS), later_log.verifier_key())
    kept = [SIGNER.key_id, LOG.key.name]
    assert kids(tmp_path) == [*kept, later.key_id, RECEIPTS.key_id, later_log.key.name]
    assert read_verifier_keys((tmp_path / "log.vkey").read_text()) == (LOG.key, later_log.key)

"""The check of a place in the log, offline: with the proof and the log's public key alone."""

from collections.abc import Sequence

from custody.certificates.certificate import LogProof, canonical
from custody.certificates.checkpoint import (
    Checkpoint,
    NoteForged,
    NoteKey,
    NoteUnreadable,
    read_checkpoint,
    read_verifier_keys,
    verifier_key_of,
)
from custody.certificates.log_entry import Kind
from custody.certificates.merkle import check_inclusion, leaf_hash
from custody.certificates.signing import ROLE, KeySet, Role
from custody.certificates.token import Invalid, Problem


def check_log_proof(proof: LogProof, kind: Kind, subject: str, digest: str, log_key: str) -> Checkpoint:
    """Require that the digest of a subject is in the log; give the checkpoint that it is under.

    ``log_key`` is the text of ``log.vkey``. Raises Invalid: checkpoint for a note that the log's key
    has not signed, log proof for an entry that does not lead to its root.
    """
    checkpoint = _checkpoint(proof, _keys(log_key))
    entry = {
        "at": proof.at,
        "digest": digest,
        "kind": kind,
        "position": proof.position,
        "subject": subject,
    }
    path = [_hash(each) for each in proof.hashes]
    leaf = leaf_hash(canonical(entry))
    if proof.size != checkpoint.size or not check_inclusion(
        leaf, proof.position, proof.size, path, checkpoint.root
    ):
        raise Invalid(Problem.LOG_PROOF, "The proof does not lead from this to the root of the log.")
    return checkpoint


def place_in_log(
    proof: LogProof | None, kind: Kind, subject: str, digest: str, log_key: str | None
) -> Checkpoint | None:
    """Check the place in the log that a file brings with it; None where it brings none.

    Raises Invalid as ``check_log_proof`` does, and where there is no key to check it with.
    """
    if proof is None:
        return None
    if log_key is None:
        raise Invalid(
            Problem.CHECKPOINT,
            "Its place in the log cannot be checked without the log's public key; give log.vkey.",
        )
    return check_log_proof(proof, kind, subject, digest, log_key)


def log_key_among(keys: KeySet) -> str | None:
    """Give the log's public keys of a JWK set as the lines of ``log.vkey``; None when it has none."""
    named = (key.as_dict(private=False) for key in keys.keys if key.get(ROLE) == Role.LOG)
    mine = (each for each in named if (each.get("kty"), each.get("crv")) == ("OKP", "Ed25519"))
    return "".join(verifier_key_of({**each}) for each in mine) or None


def _keys(log_key: str) -> Sequence[NoteKey]:
    try:
        return read_verifier_keys(log_key)
    except NoteUnreadable as error:
        raise Invalid(Problem.CHECKPOINT, str(error)) from None


def _checkpoint(proof: LogProof, keys: Sequence[NoteKey]) -> Checkpoint:
    try:
        return read_checkpoint(proof.checkpoint, keys)
    except (NoteForged, NoteUnreadable) as error:
        raise Invalid(Problem.CHECKPOINT, str(error)) from None


def _hash(text: str) -> bytes:
    """Decode a hash in its one spelling: 64 small hex digits."""
    try:
        decoded = bytes.fromhex(text)
    except ValueError:
        decoded = b""
    if decoded.hex() != text or len(decoded) != 32:
        raise Invalid(Problem.LOG_PROOF, "A hash of the proof is not 64 hex digits.")
    return decoded

// The rules of `custody verify`, one after another, with nothing but what is in this page.

class Invalid extends Error {
  constructor(problem, detail) {
    super(detail);
    this.problem = problem;
  }
}
class CannotCheck extends Error {}

function subtle() {
  const found = globalThis.crypto?.subtle;
  if (!found) throw new CannotCheck("It gives cryptography to secure pages only.");
  return found;
}

const utf8 = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const hex = (bytes) => Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
const fromHex = (text) => {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new SyntaxError("not hex");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
};
const same = (one, other) => hex(one) === hex(other);
const sha256 = async (bytes) => new Uint8Array(await subtle().digest("SHA-256", bytes));
const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

function fromBase64(text) {
  const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  if (toBase64(bytes) !== text) throw new SyntaxError("not the one spelling of base64");
  return bytes;
}
const toBase64 = (bytes) => btoa(Array.from(bytes, (each) => String.fromCharCode(each)).join(""));
const toBase64url = (bytes) => toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function fromBase64url(text) {
  if (/[^-\w]/.test(text)) throw new SyntaxError("not base64url");
  const plain = text.replaceAll("-", "+").replaceAll("_", "/");
  return fromBase64(plain + "=".repeat((4 - (plain.length % 4)) % 4));
}

function unsealed(token, type, what) {
  try {
    const [head, body, signature, ...more] = token.split(".");
    const header = parse(strict.decode(fromBase64url(head)));
    const payload = strict.decode(fromBase64url(body));
    const sound = header.get("alg") === "EdDSA" && header.get("typ") === type && header.size === 3 && !more.length;
    if (!sound || canonical(parse(payload)) !== payload) throw new SyntaxError("another form");
    return {
      key: header.get("kid"),
      text: payload,
      payload: parse(payload),
      signed: utf8.encode(`${head}.${body}`),
      signature: fromBase64url(signature),
    };
  } catch {
    throw new Invalid("malformed", `The signed form of the ${what} is not what such a file has.`);
  }
}

async function thumbprint(jwk) {
  const members = { crv: jwk.get("crv"), kty: jwk.get("kty"), x: jwk.get("x") }; // RFC 7638, RFC 8037
  return toBase64url(await sha256(utf8.encode(JSON.stringify(members))));
}

async function ed25519(bytes, signature, signed) {
  const known = subtle();
  let key;
  try {
    key = await known.importKey("raw", bytes, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") throw new CannotCheck("It does not know Ed25519 signatures.");
    return false;
  }
  return known.verify({ name: "Ed25519" }, key, signature, signed);
}

// The key must be here, be what its thumbprint names, and be one that may sign this.
async function signatureHolds(jws, keys, role) {
  const jwk = keys.get("keys").find((each) => each.get("kid") === jws.key && roleOf(each) === role);
  if (!jwk) throw new Invalid("unknown key", `The ${role} was signed with a key that this page does not hold.`);
  if (jwk.get("kty") !== "OKP" || jwk.get("crv") !== "Ed25519" || (await thumbprint(jwk)) !== jws.key) {
    throw new Invalid("unknown key", `The key of the ${role} is not the one that its thumbprint names.`);
  }
  if (!(await ed25519(fromBase64url(jwk.get("x")), jws.signature, jws.signed))) {
    throw new Invalid("signature", `The signature of the ${role} does not hold: what is signed was changed.`);
  }
}
const roleOf = (jwk) => jwk.get("custody_role") ?? "certificate";

async function readableIsSigned(file, jws) {
  const digest = `sha256:${hex(await sha256(utf8.encode(jws.text)))}`;
  if (canonical(file.get("certificate")) !== jws.text || file.get("digest") !== digest) {
    throw new Invalid("digest", "The readable part of the embedded file is not what was signed.");
  }
}

async function receiptHolds(jws, certificate, keys) {
  const receipt = jws.payload;
  try {
    await signatureHolds(jws, keys, "receipt");
  } catch (error) {
    throw error instanceof Invalid ? new Invalid("receipt", error.message) : error;
  }
  const { payload } = certificate;
  const agrees =
    canonical(receipt.get("keys_destroyed")) === canonical(payload.get("how").get("keys_destroyed")) &&
    receipt.get("purge_id") === payload.get("certificate_id") &&
    receipt.get("contract_id") === payload.get("who").get("contract_id") &&
    receipt.get("destroyed_at") === payload.get("when").get("key_destroyed");
  if (!agrees) throw new Invalid("receipt", "The receipt is of another destruction than the certificate’s.");
}

const leafHash = (data) => sha256(joined([0], data));
const nodeHash = (left, right) => sha256(joined([1], left, right));

// RFC 9162 §2.1.3.2
async function rootAbove(leaf, position, size, path) {
  let [at, last, found] = [position, size - 1n, leaf];
  if (position < 0n || position >= size) return null;
  for (const each of path) {
    if (last === 0n) return null;
    if (at & 1n || at === last) {
      found = await nodeHash(each, found);
      while (!(at & 1n) && at !== 0n) [at, last] = [at >> 1n, last >> 1n];
    } else {
      found = await nodeHash(found, each);
    }
    [at, last] = [at >> 1n, last >> 1n];
  }
  return last === 0n ? found : null;
}

// A key of the log is C2SP's "name+id+key".
async function noteKey(line) {
  const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(line);
  const key = fromBase64(encoded);
  const expected = (await sha256(joined(utf8.encode(`${name}\n`), key))).slice(0, 4);
  if (key[0] !== 1 || key.length !== 33 || hex(expected) !== id) throw new SyntaxError("not a key of a log");
  return { name, id, bytes: key.slice(1) };
}

// A signed note, C2SP signed-note and tlog-checkpoint; signatures of others, such as witnesses, are passed over.
async function checkpointHolds(note, lines) {
  try {
    const keys = await Promise.all(lines.map(noteKey));
    const cut = note.lastIndexOf("\n\n") + 1;
    const [body, tail] = [note.slice(0, cut), note.slice(cut + 1)];
    const signatures = tail.slice(0, -1).split("\n").map((line) => /^— (\S+) (\S+)$/.exec(line).slice(1));
    const [origin, size, root] = body.split("\n");
    const checkpoint = { size: BigInt(size), root: fromBase64(root) };
    const signed = utf8.encode(body);
    if (!tail.endsWith("\n") || !/^(0|[1-9]\d*)$/.test(size)) throw new SyntaxError("not a checkpoint");
    let known = 0;
    for (const [name, encoded] of signatures) {
      const signature = fromBase64(encoded);
      const key = keys.find((each) => each.name === name && each.id === hex(signature.slice(0, 4)));
      if (!key) continue;
      known += key.name === origin;
      if (!(await ed25519(key.bytes, signature.slice(4), signed))) throw new SyntaxError("not signed");
    }
    if (known) return checkpoint;
  } catch (error) {
    if (error instanceof CannotCheck) throw error;
  }
  throw new Invalid("checkpoint", "The checkpoint is not signed by the log’s key, or was changed since.");
}

async function logHolds(file, certificate, logKeys) {
  const log = file.get("log");
  if (log.size !== 5) throw new Invalid("malformed", "The place in the log has a part that it may not have.");
  const checkpoint = await checkpointHolds(log.get("checkpoint"), logKeys);
  const entry = new Map([
    ["at", log.get("at")],
    ["digest", file.get("digest")],
    ["kind", "certificate"],
    ["position", log.get("position")],
    ["subject", certificate.payload.get("certificate_id")],
  ]);
  const path = log.get("hashes").map(fromHex);
  const leaf = await leafHash(utf8.encode(canonical(entry)));
  const root = await rootAbove(leaf, log.get("position"), log.get("size"), path);
  if (log.get("size") !== checkpoint.size || !root || !same(root, checkpoint.root)) {
    throw new Invalid("log proof", "The proof does not lead from this certificate to the log's checkpoint.");
  }
}

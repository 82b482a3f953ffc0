// What people read of a certificate: the same as wording.py, sections.py and reading.py make.

const NONE = "—";
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const key = (path) => JSON.stringify(path);
const placeOf = (written) => (written ? written.split(".") : []);

function visible(text) {
  return text.replace(UNSEEN, (each) => `⟨U+${each.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

const isGroup = (value) => Array.isArray(value) || value instanceof Map;
const isPlain = (value) => (Array.isArray(value) ? !value.some(isGroup) : !(value instanceof Map));
const isNothing = (value) =>
  value === null || value === undefined || value === "" || value.length === 0 || value.size === 0;
const looksMono = (value) => typeof value === "string" && /^(sha256:)?[0-9a-f]{32,}$/.test(value);
const grouped = (integer) => String(integer).replace(/\B(?=(\d{3})+$)/g, ",");

function textOf(value, empty = "") {
  if (isNothing(value)) return empty || NONE;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "bigint") return grouped(value);
  if (Array.isArray(value) && isPlain(value)) return value.map((each) => textOf(each)).join(", ");
  if (value instanceof Spelled) return value.text;
  if (isGroup(value)) return visible(inOneLine(value));
  const time = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)Z$/.exec(value);
  return time ? `${time[1]} ${time[2]} UTC` : visible(value);
}

function inOneLine(value) {
  if (value instanceof Map) {
    return `{${[...value].map(([name, each]) => `${JSON.stringify(name)}:${inOneLine(each)}`).join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(inOneLine).join(",")}]`;
  if (value instanceof Spelled) return JSON.stringify(value.text);
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

function named(path) {
  const label = ([first = "", ...rest]) => first.toUpperCase() + rest.join("");
  return path.map((each) => visible(label([...each.replaceAll("_", " ")]))).join(" / ");
}

function at(value, path) {
  for (const name of path) {
    if (!(value instanceof Map) || !value.has(name)) return undefined;
    value = value.get(name);
  }
  return value;
}

function said(sentence, payload) {
  let missing = false;
  const filled = sentence.replace(/\{([a-z_.]+)(?:\|(\w+)\|(\w+))?\}/g, (_, place, one, many) => {
    const value = at(payload, placeOf(place));
    missing ||= value === undefined || !isPlain(value);
    return textOf(value) + (one ? ` ${value === 1n ? one : many}` : "");
  });
  return missing ? "" : filled;
}

// Puts the fields of one object into sections; it remembers which it has placed.
class Sections {
  constructor(words) {
    this.words = words;
    this.taken = new Set();
    this.placed = words
      .flatMap(({ rows = [], tables = [], lists = [] }) => [
        ...rows.map(([written]) => written),
        ...[...tables, ...lists].map(({ path }) => path),
      ])
      .map(placeOf);
    this.isPlaced = new Set(this.placed.map(key));
    this.rests = new Set(words.filter(({ rest }) => rest !== undefined).map(({ rest }) => key(placeOf(rest))));
  }

  of(fields) {
    return this.words.map((words) => this.section(words, fields));
  }

  rows(known, fields) {
    const rows = [];
    for (const [written, label, kind = "", empty = ""] of known) {
      const field = at(fields, placeOf(written));
      if (field === undefined || !isPlain(field)) continue;
      this.taken.add(key(placeOf(written)));
      if (kind !== "optional" || (field !== "" && field !== null)) {
        rows.push([label, textOf(field, empty), kind === "mono"]);
      }
    }
    return rows;
  }

  section(words, fields) {
    const made = sectionOf(words.title, this.rows(words.rows ?? [], fields));
    for (const each of words.tables ?? []) this.grid(each, fields, made);
    for (const each of words.lists ?? []) this.list(each, fields, made);
    if (words.rest !== undefined) {
      const rest = placeOf(words.rest);
      const value = at(fields, rest);
      if (value instanceof Map) {
        this.further(value, rest, made, rest.length);
        this.taken.add(key(rest));
      }
    }
    return made;
  }

  list(words, fields, made) {
    const value = at(fields, placeOf(words.path));
    if (!Array.isArray(value) || !isPlain(value)) return;
    this.taken.add(key(placeOf(words.path)));
    if (value.length) made.lists.push([words.title ?? "", value.map((each) => textOf(each))]);
    else if (words.empty) made.notes.push(words.empty);
  }

  grid(words, fields, made) {
    const place = placeOf(words.path);
    const value = at(fields, place);
    const names = new Map(Object.entries(words.names ?? {}));
    const members = membersOf(value, [...names.keys()]);
    if (!members) return;
    this.taken.add(key(place));
    if (!members.length) {
      if (words.empty) made.notes.push(words.empty);
      return;
    }
    const unplaced = (name, each) => [...each].filter(([field]) => !this.isPlaced.has(key([...place, name, field])));
    const cells = members
      .filter(([name]) => !this.rests.has(key([...place, name])))
      .map(([name, each]) => [name, new Map(unplaced(name, each))]);
    const columns = columnsOf(words.columns, cells.map(([, left]) => left));
    const keyed = value instanceof Map;
    const head = [...(keyed ? [words.key ?? ""] : []), ...columns.map(([, label]) => label)];
    const rows = cells.map(([name, left]) => [
      ...(keyed ? [names.get(name) ?? named([name])] : []),
      ...columns.map(([field, , empty]) => (left.has(field) ? textOf(left.get(field), empty) : "")),
    ]);
    made.grids.push([words.title ?? "", head, rows]);
  }

  // Shows what has not been shown, under its name from that depth of its place on.
  further(fields, place, made, below) {
    for (const [name, field] of fields) {
      const here = [...place, name];
      const label = named(here.slice(below));
      if (this.taken.has(key(here))) this.deeper(fields, place, here, made, below);
      else if (field instanceof Map && field.size) this.further(field, here, made, below);
      else if (Array.isArray(field) && field.length && field.every((each) => each instanceof Map && each.size)) {
        const names = [...new Set(field.flatMap((each) => [...each.keys()]))];
        const rows = field.map((each) => names.map((column) => textOf(each.get(column))));
        made.grids.push([label, names.map((column) => named([column])), rows]);
      } else made.rows.push([label, textOf(field), looksMono(field)]);
    }
  }

  // Shows what was to be shown beside a table, and has another form than was expected there.
  deeper(fields, place, here, made, below) {
    for (const each of this.placed) {
      if (this.taken.has(key(each)) || key(each.slice(0, here.length)) !== key(here)) continue;
      const field = at(fields, each.slice(place.length));
      if (field !== undefined) made.rows.push([named(each.slice(below)), textOf(field), looksMono(field)]);
    }
  }
}

const sectionOf = (title, rows) => ({ title, rows, grids: [], lists: [], notes: [] });

function membersOf(value, order) {
  let members = null;
  if (value instanceof Map) {
    const expected = order.filter((each) => value.has(each));
    const others = [...value.keys()].filter((each) => !order.includes(each));
    members = [...expected, ...others].map((name) => [name, value.get(name)]);
  } else if (Array.isArray(value)) {
    members = value.map((each) => ["", each]);
  }
  return members?.every(([, each]) => each instanceof Map) ? members : null;
}

function columnsOf(known, cells) {
  const columns = known.map(([field, label, empty = ""]) => [field, label, empty]);
  const seen = new Set(columns.map(([field]) => field));
  const fresh = new Set(cells.flatMap((each) => [...each.keys()]).filter((field) => !seen.has(field)));
  return [...columns, ...[...fresh].map((field) => [field, named([field]), ""])];
}

function attached(words, part) {
  if (!part) return { ...sectionOf(words.title, []), notes: [words.empty] };
  return new Sections([{ title: words.title, rows: words.rows, rest: "" }]).of(part)[0];
}

function signatureOf(file, logKeys) {
  const keyOf = (token) => parse(strict.decode(fromBase64url(token.split(".")[0]))).get("kid");
  const found = new Map([["digest", file.get("digest")], ["algorithm", "Ed25519 (JWS, EdDSA)"]]);
  found.set("key", keyOf(file.get("jws")));
  if (file.get("receipt")) found.set("receipt_key", keyOf(file.get("receipt")));
  return logKeys.length ? found.set("log_key", logKeys) : found;
}

function logOf(log) {
  const [origin, , root] = log.get("checkpoint").split("\n");
  const found = new Map([["position", log.get("position")], ["size", log.get("size")]]);
  return found.set("origin", origin).set("root", root).set("at", log.get("at"));
}

function read(words, file, payload, receipt, logKeys) {
  const sections = new Sections(words.sections);
  const head = sections.rows(words.head, payload);
  const made = [
    ...sections.of(payload),
    attached(words.receipt, receipt),
    attached(words.log, file.get("log") ? logOf(file.get("log")) : null),
    attached(words.signature, signatureOf(file, logKeys)),
  ];
  const full = ({ rows, grids, lists, notes }) => rows.length + grids.length + lists.length + notes.length > 0;
  return { title: words.title, lead: said(words.lead, payload), head, sections: made.filter(full) };
}

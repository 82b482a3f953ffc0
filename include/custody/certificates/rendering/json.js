// JSON as it was signed: numbers keep their spelling, and a name that stands twice is refused.

class Spelled {
  constructor(text) { this.text = text; }
}

function parse(text) {
  JSON.parse(text); // the grammar; below only what it lets pass
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}[\],:]/g);
  let next = 0;
  const words = { true: true, false: false, null: null };
  const value = () => {
    const token = tokens[next++];
    if (token === "{") return object();
    if (token === "[") return array();
    if (token[0] === '"') return JSON.parse(token);
    if (token in words) return words[token];
    return /^-?\d+$/.test(token) ? BigInt(token) : new Spelled(token);
  };
  const object = () => {
    const made = new Map();
    while (tokens[next] !== "}") {
      const name = JSON.parse(tokens[next]);
      next += 2;
      if (made.has(name)) throw new SyntaxError("a name stands twice");
      made.set(name, value());
      if (tokens[next] === ",") next++;
    }
    next++;
    return made;
  };
  const array = () => {
    const made = [];
    while (tokens[next] !== "]") {
      made.push(value());
      if (tokens[next] === ",") next++;
    }
    next++;
    return made;
  };
  return value();
}

// The one spelling that is signed: names in order, no spaces.
function canonical(value) {
  if (value instanceof Map) {
    const names = [...value.keys()].sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value.get(name))}`).join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value instanceof Spelled) return value.text;
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

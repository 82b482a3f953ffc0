// The page: checks what it carries, then shows what was signed in the place of what it came with.

const PARTS = new Set(["certificate", "digest", "jws", "receipt", "log"]);
const find = (id) => document.getElementById(id);

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((each) => each !== ""));
  return made;
}

const rowsOf = (rows) =>
  rows.map(([label, text, mono]) =>
    element("div", {}, element("dt", {}, label), element("dd", mono ? { class: "mono" } : { dir: "auto" }, text)),
  );
const titleOf = (title) => (title ? [element("h3", {}, title)] : []);

function gridOf([title, head, rows]) {
  const cells = (tag, texts) => texts.map((text) => element(tag, { dir: "auto" }, text));
  const line = (texts) => {
    const [first, ...rest] = texts;
    return element("tr", {}, element("th", { scope: "row", dir: "auto" }, first), ...cells("td", rest));
  };
  const top = element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)));
  const table = element("table", {}, element("thead", {}, top), element("tbody", {}, ...rows.map(line)));
  return [...titleOf(title), element("div", { class: "wide" }, table)];
}

function listOf([title, items]) {
  return [...titleOf(title), element("ul", {}, ...items.map((text) => element("li", { dir: "auto" }, text)))];
}

function drawn(reading) {
  const sections = reading.sections.map(({ title, rows, grids, lists, notes }) =>
    element(
      "section",
      {},
      element("h2", {}, title),
      ...(rows.length ? [element("dl", {}, ...rowsOf(rows))] : []),
      ...grids.flatMap(gridOf),
      ...lists.flatMap(listOf),
      ...notes.map((text) => element("p", { class: "note" }, text)),
    ),
  );
  return element(
    "main",
    { id: "certificate" },
    element(
      "header",
      {},
      element("h1", {}, reading.title),
      element("p", { class: "lead", dir: "auto" }, reading.lead),
      element("dl", {}, ...rowsOf(reading.head)),
    ),
    ...sections,
  );
}

function tell(state, title, detail, steps = []) {
  find("verdict").className = state;
  find("verdict").querySelector(".state").textContent = title;
  find("verdict").querySelector(".detail").textContent = detail;
  const lines = steps.map(([mark, text]) => element("li", { class: mark }, text));
  find("verdict").querySelector("ul").replaceChildren(...lines);
  document.body.className = state;
}

// The rules, in the order of `custody verify`:
// (1) the file is what a certificate's file looks like; (2) its key is there and is the one that it names;
// (3) the signature holds; (4) what is to be read, here too, is what was signed; (5) so does the receipt;
// (6) the log's checkpoint is signed, and the certificate is under it.
async function judge(steps, lacking, kept) {
  const file = parse(find("signed").textContent);
  const keys = parse(find("public-keys").textContent);
  kept.keys = keys;
  for (const name of file.keys()) {
    if (!PARTS.has(name)) throw new Invalid("malformed", "The embedded file has a part that it may not have.");
  }
  const jws = unsealed(file.get("jws"), "custody-certificate+jws", "certificate"); // (1)
  const logged = file.get("log");
  const receipt = file.get("receipt") ? unsealed(file.get("receipt"), "custody-receipt+jws", "receipt") : null;
  const main = drawn(read(LAYOUT, file, jws.payload, receipt?.payload ?? null, logged ? keys.get("log") : []));
  const came = find("certificate");
  const shownIsSigned = came.isEqualNode(main);
  came.replaceWith(main);
  await signatureHolds(jws, keys, "certificate"); // (2), (3)
  steps.push(["held", "The signature over the certificate holds (Ed25519)."]);
  await readableIsSigned(file, jws); // (4)
  steps.push(["held", "The digest and the readable part are those of what was signed."]);
  if (!shownIsSigned) {
    throw new Invalid("shown", "What this page came with is not what was signed; it shows the embedded file now.");
  }
  steps.push(["held", "What this page shows is what was signed."]);
  if (receipt) {
    await receiptHolds(receipt, jws, keys); // (5)
    steps.push(["held", "The receipt of the key’s destruction holds, signed by another key."]);
  } else if (jws.payload.get("how").get("keys_destroyed").length) {
    lacking.push("without the receipt of the key’s destruction");
  }
  if (logged) {
    await logHolds(file, jws, keys.get("log")); // (6)
    steps.push(["held", "The certificate is in the transparency log, under a signed checkpoint."]);
  } else {
    lacking.unshift("not yet in the log");
  }
}

async function run() {
  const [steps, lacking, kept] = [[], [], {}];
  try {
    await judge(steps, lacking, kept);
  } catch (error) {
    return refuse(error, steps);
  }
  const title = ["Valid", ...lacking].join(", ");
  find("keys").hidden = false;
  const compare = ["absent", "Whose keys these are, you have to compare: see the end of this page."];
  tell("valid", title, "Every check below holds, under the keys that this page carries.", [...steps, compare]);
  const given = (files) => published(files, kept.keys, title, steps);
  find("published").addEventListener("change", (event) => given(event.target.files));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    given(event.dataTransfer.files);
  });
  find("save").addEventListener("click", save);
}

function refuse(error, steps) {
  if (error instanceof CannotCheck) {
    const advice = "Use a current Chromium, Firefox or Safari, or custody verify. What is shown is not verified.";
    return tell("unchecked", "Not checked: this browser cannot", `${error.message} ${advice}`);
  }
  const [problem, detail] =
    error instanceof Invalid
      ? [error.problem, error.message]
      : ["malformed", "What this page carries has not the form of a certificate."];
  tell("invalid", `NOT VALID (${problem})`, detail, steps);
}

// The keys that were found published so far; a page is under published keys when all of its own are.
const compared = { keys: false, log: false };

async function published(files, keys, title, steps) {
  try {
    for (const each of files) {
      const text = strict.decode(await each.arrayBuffer());
      if (text.trimStart().startsWith("{")) sameKeys(parse(text), keys);
      else sameLog(text.split("\n"), keys);
    }
  } catch (error) {
    const unreadable = new Invalid("published keys", "What you gave is no file of public keys; nothing was compared.");
    return refuse(error instanceof Invalid ? error : unreadable, steps);
  }
  const open = [];
  if (!compared.keys) open.push("the signing keys: give jwks.json");
  if (!compared.log && keys.get("log").length) open.push("the log’s key: give log.vkey");
  const line = open.length
    ? ["absent", `Still to be compared: ${open.join("; ")}.`]
    : ["held", "The keys are those of the files that you gave."];
  const under = open.length ? "the keys that this page carries" : "the published keys that you gave";
  tell("valid", title, `Every check below holds, under ${under}.`, [...steps, line]);
}

function sameKeys(given, keys) {
  for (const mine of keys.get("keys")) {
    const other = given.get("keys").find((each) => each.get("kid") === mine.get("kid"));
    if (!other || ["kty", "crv", "x"].some((name) => other.get(name) !== mine.get(name))) {
      throw new Invalid("published keys", `The key ${visible(mine.get("kid"))} is not among those that you gave.`);
    }
  }
  compared.keys = true;
}

function sameLog(given, keys) {
  if (!keys.get("log").every((mine) => given.includes(mine))) {
    throw new Invalid("published keys", "The log’s key is not among those that you gave.");
  }
  compared.log = true;
}

function save() {
  const text = find("signed").textContent;
  const name = parse(text).get("certificate").get("certificate_id").replace(/[^-\w.]/g, "_");
  const link = element("a", { download: `${name}.json` });
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.click();
  URL.revokeObjectURL(link.href);
}

tell("unchecked", "Being checked", "One moment.");
run();

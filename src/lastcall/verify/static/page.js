// Checks a signed receipt, an audit export and signed heads: the rules of `lastcall verify`.
"use strict";

const RECEIPT = "lastcall-receipt+jwt";
const HEAD = "lastcall-head+jwt";
const AHEAD = 5 * 60 * 1000;
const FIELDS = {
  seq: "int", at: "int", tenant: "str", action: "str", outcome: "str", actor: "str",
  actor_name: "str", target: "str", code: "str", detail: "obj", dialect: "str",
  address: "str", request_id: "str",
};
const CHAINING = { previous: "str", digest: "str" };
const SHOWN = { ...FIELDS, ...CHAINING };
const WITHHELD = { seq: "int", content: "str", ...CHAINING };
const CLAIMS = { iss: "str", iat: "int", tenant: "str", receipt: "obj", audit: "obj" };
const PLACE = { seq: "int", previous: "str", digest: "str", record: "obj" };
const HEAD_CLAIMS = { seq: "int", digest: "str", at: "int" };
const KINDS = {
  int: Number.isSafeInteger,
  str: (value) => typeof value === "string",
  obj: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};
const utf8 = new TextEncoder();

class NotGenuine extends Error {}

function shaped(value, shape) {
  if (!KINDS.obj(value)) return false;
  const names = Object.keys(shape);
  return Object.keys(value).length === names.length
    && names.every((name) => Object.hasOwn(value, name) && KINDS[shape[name]](value[name]));
}

// --- bytes ---

const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const isDigest = (text) => /^[0-9a-f]{64}$/.test(text);

async function sha256(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

function unbase64(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new NotGenuine("it is not a readable JWS");
  let binary;
  try {
    binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw new NotGenuine("it is not a readable JWS");
  }
  const again = btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  if (again !== text) throw new NotGenuine("it is not a readable JWS");
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

// JSON as records are written: sorted names, no spaces, ASCII.
function canonical(value) {
  if (KINDS.obj(value)) {
    const names = Object.keys(value).sort(byCodePoint);
    return `{${names.map((name) => `${canonical(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function byCodePoint(one, other) {
  const left = Array.from(one, (character) => character.codePointAt(0));
  const right = Array.from(other, (character) => character.codePointAt(0));
  const place = left.findIndex((point, index) => point !== right[index]);
  if (place < 0) return left.length - right.length;
  return place < right.length ? left[place] - right[place] : 1;
}

// --- signatures ---

async function keysOf(text) {
  let found;
  try {
    found = JSON.parse(text).keys.filter((one) => one.kty === "OKP" && one.crv === "Ed25519");
  } catch {
    throw new NotGenuine("the keys cannot be read: not a JWKS");
  }
  const keys = new Map();
  for (const one of found) {
    if ((one.use ?? "sig") !== "sig" || (one.alg ?? "EdDSA") !== "EdDSA" || keys.has(one.kid)) {
      throw new NotGenuine("the keys cannot be told apart");
    }
    const jwk = { kty: "OKP", crv: "Ed25519", x: one.x };
    keys.set(one.kid, await crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["verify"]));
  }
  if (!keys.size) throw new NotGenuine("there is no Ed25519 key among the keys");
  return keys;
}

async function opened(token, keys, typ) {
  const parts = token.split(".");
  if (parts.length !== 3) throw new NotGenuine("it is not a compact JWS");
  const [head, body, signature] = parts.map(unbase64);
  let header, claims;
  try {
    [header, claims] = [head, body].map((part) =>
      JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(part)));
  } catch {
    throw new NotGenuine("it is not a readable JWS");
  }
  if (!KINDS.obj(header) || !KINDS.obj(claims)) throw new NotGenuine("it is not a readable JWS");
  const more = Object.keys(header).filter((name) => !["alg", "kid", "typ"].includes(name)).sort();
  if (more.length) {
    throw new NotGenuine(`its header holds ${more.join(", ").slice(0, 80)}, which is not accepted`);
  }
  if (header.alg !== "EdDSA") throw new NotGenuine("its algorithm is not EdDSA");
  if (header.typ !== typ) throw new NotGenuine(`it is not of type ${typ}`);
  const key = keys.get(header.kid);
  if (!key) throw new NotGenuine("it names a key that is not among the keys given");
  const signed = utf8.encode(`${parts[0]}.${parts[1]}`);
  if (!await crypto.subtle.verify("Ed25519", key, signature, signed)) {
    throw new NotGenuine("its signature is wrong: something in it was altered");
  }
  return claims;
}

function compact(text) {
  text = text.trim();
  if (!text.startsWith("{")) return text;
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    throw new NotGenuine("it is not a readable JWS");
  }
  if (!shaped(found, { protected: "str", payload: "str", signature: "str" })) {
    throw new NotGenuine("it is not a signed receipt");
  }
  return `${found.protected}.${found.payload}.${found.signature}`;
}

// --- the chain ---

async function entryOf(line) {
  if (!KINDS.obj(line)) return null;
  const shown = !Object.hasOwn(line, "content");
  if (!shaped(line, shown ? SHOWN : WITHHELD)) return null;
  if (![line.previous, line.digest, ...(shown ? [] : [line.content])].every(isDigest)) return null;
  let content = line.content;
  if (shown) {
    if (!Object.values(line.detail).every(KINDS.str)) return null;
    const body = Object.fromEntries(Object.keys(FIELDS).map((name) => [name, line[name]]));
    content = hex(await sha256(utf8.encode(canonical(body))));
  }
  const made = hex(await sha256(unhex(line.previous), unhex(content)));
  return { seq: line.seq, previous: line.previous, digest: line.digest, line, shown,
    intact: made === line.digest };
}

function tampering(entries, anchors) {
  const found = [];
  const about = (seq, text) => found.push({ seq, text: `record ${seq} ${text}` });
  const bySeq = new Map();
  let highest = 0;
  for (const entry of entries) {
    if (bySeq.has(entry.seq)) about(entry.seq, "stands here more than once");
    else if (entry.seq < highest) about(entry.seq, `stands after record ${highest}`);
    if (!bySeq.has(entry.seq)) bySeq.set(entry.seq, entry);
    highest = Math.max(highest, entry.seq);
  }
  const seqs = [...bySeq.keys()].sort((one, other) => one - other);
  const ends = seqs.length ? [...seqs, Math.max(seqs.at(-1), ...anchors.keys()) + 1] : [];
  for (let place = 1; place < ends.length; place += 1) {
    const [start, stop] = [ends[place - 1] + 1, ends[place] - 1];
    if (stop > start) about(start, `and up to ${stop} are missing`);
    else if (stop === start) about(start, "is missing");
  }
  for (const entry of bySeq.values()) {
    if (!entry.intact) about(entry.seq, "does not say what its digest was made of");
    if (entry.seq === 1 && entry.previous !== "0".repeat(64)) {
      about(1, "is not the beginning of a chain");
    }
    const expected = anchors.get(entry.seq) ?? bySeq.get(entry.seq + 1)?.previous;
    if (expected !== undefined && expected !== entry.digest) {
      about(entry.seq, "is not the record that was chained here, or it was altered");
    }
  }
  return found.sort((one, other) => one.seq - other.seq).map((one) => one.text);
}

// --- everything together ---

async function check(given) {
  const report = { claims: null, checked: [], wrong: [] };
  let keys, claims;
  try {
    keys = await keysOf(given.keys);
    claims = await opened(compact(given.receipt), keys, RECEIPT);
  } catch (error) {
    if (!(error instanceof NotGenuine)) throw error;
    report.wrong.push(`the receipt: ${error.message}`);
    return report;
  }
  report.wrong.push(...await wrongClaims(claims, given.tenant));
  if (report.wrong.length) return report;
  report.claims = claims;
  report.checked.push("the receipt is signed by one of the keys, and agrees with itself");
  const anchors = new Map([[claims.audit.seq, claims.audit.digest]]);
  if (given.heads !== null) await checkHeads(report, given.heads, keys, claims, anchors);
  if (given.export !== null) await checkExport(report, given.export, claims, anchors);
  return report;
}

async function wrongClaims(claims, tenant) {
  if (!shaped(claims, CLAIMS) || !shaped(claims.audit, PLACE)) {
    return ["the receipt: it does not say what a receipt says"];
  }
  const { receipt, audit } = claims;
  const entry = await entryOf(audit.record);
  if (!entry || !entry.shown || !entry.intact || entry.seq !== audit.seq
    || entry.previous !== audit.previous || entry.digest !== audit.digest) {
    return ["the receipt: its audit record does not match its place"];
  }
  const wrong = [];
  if (entry.line.detail.receipt !== receipt.id) {
    wrong.push("the receipt: its audit record is of another logout");
  }
  if (claims.tenant !== receipt.tenant || claims.tenant !== entry.line.tenant) {
    wrong.push("the receipt: its audit record is of another tenant");
  }
  if (tenant && claims.tenant !== tenant) {
    wrong.push(`the receipt: it is not of the tenant ${tenant}`);
  }
  if (claims.iat * 1000 > Date.now() + AHEAD) {
    wrong.push("the receipt: it is dated in the future");
  }
  if (receipt.finished !== true) wrong.push("the receipt: it is not of a finished logout");
  return wrong;
}

async function headOf(line, keys, issuer) {
  let shown;
  try {
    shown = JSON.parse(line);
  } catch {
    throw new NotGenuine("it cannot be read");
  }
  if (!shaped(shown, { ...HEAD_CLAIMS, signed: "str" })) throw new NotGenuine("it cannot be read");
  const claims = await opened(shown.signed, keys, HEAD);
  const said = claims.head;
  if (!shaped(said, HEAD_CLAIMS)
    || Object.keys(HEAD_CLAIMS).some((name) => said[name] !== shown[name])) {
    throw new NotGenuine("what it shows is not what was signed");
  }
  if (claims.iss !== issuer) throw new NotGenuine("it was issued by another authority");
  return said;
}

async function checkHeads(report, text, keys, claims, anchors) {
  const before = report.wrong.length;
  let count = 0;
  let newest = { seq: 0, at: 0 };
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (!line.trim()) continue;
    count += 1;
    const name = `head in line ${index + 1}`;
    try {
      const head = await headOf(line, keys, claims.iss);
      if (head.seq < newest.seq || head.at < newest.at) {
        report.wrong.push(`${name}: it is older than the one before`);
      }
      newest = { seq: Math.max(newest.seq, head.seq), at: Math.max(newest.at, head.at) };
      if (!anchors.has(head.seq)) anchors.set(head.seq, head.digest);
      if (anchors.get(head.seq) !== head.digest) {
        report.wrong.push(`${name}: record ${head.seq} has another digest elsewhere`);
      }
    } catch (error) {
      if (!(error instanceof NotGenuine)) throw error;
      report.wrong.push(`${name}: ${error.message}`);
    }
  }
  if (report.wrong.length === before) {
    report.checked.push(`${count} signed heads agree with each other and with the receipt`);
  }
}

async function checkExport(report, text, claims, anchors) {
  const before = report.wrong.length;
  const entries = [];
  let last = 0;
  for (const [index, line] of text.replace(/\n$/, "").split("\n").entries()) {
    let value = null;
    try {
      value = JSON.parse(line);
    } catch {
      value = null;
    }
    const entry = await entryOf(value);
    if (!entry || canonical(entry.line) !== line) {
      const near = last ? ` (about record ${last + 1})` : "";
      report.wrong.push(`line ${index + 1} of the export${near} is not as it was written`);
      continue;
    }
    last = entry.seq;
    entries.push(entry);
  }
  report.wrong.push(...tampering(entries, anchors));
  for (const entry of entries) {
    if (entry.shown && entry.line.tenant !== claims.tenant) {
      report.wrong.push(`record ${entry.seq} is of another tenant`);
    }
  }
  const own = claims.audit.seq;
  if (!entries.some((entry) => entry.seq === own)) {
    report.wrong.push(`record ${own}, the receipt's own, is not in the export`);
  }
  if (report.wrong.length === before) {
    const [first, final] = [entries[0].seq, entries.at(-1).seq];
    report.checked.push(`${entries.length} records, ${first} to ${final}, are one chain;`
      + ` the receipt's own is number ${own}`);
  }
}

// --- the page ---

const byId = (id) => document.getElementById(id);

async function textOf(id) {
  const file = byId(id).files[0];
  return file ? file.text() : null;
}

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function show(report) {
  const good = report.wrong.length === 0;
  const list = (texts) => element("ul", ...texts.map((text) => element("li", text)));
  const parts = [element("h2", good ? "Verified" : "Not verified")];
  if (!good) parts.push(list(report.wrong));
  if (report.claims) {
    const receipt = report.claims.receipt;
    const facts = {
      Receipt: receipt.id, Verdict: receipt.verdict, "Asked by": receipt.by_name, At: receipt.at,
      Scope: receipt.words, Tenant: report.claims.tenant, "Issued by": report.claims.iss,
    };
    parts.push(element("dl", ...Object.entries(facts).flatMap(([name, value]) =>
      [element("dt", name), element("dd", String(value ?? "-"))])));
  }
  if (report.checked.length) parts.push(element("p", "Checked:"), list(report.checked));
  const result = byId("result");
  result.className = good ? "good" : "bad";
  result.replaceChildren(...parts);
}

async function verify(event) {
  event.preventDefault();
  byId("result").replaceChildren();
  const given = {
    receipt: await textOf("receipt"), keys: await textOf("keys"),
    export: await textOf("export"), heads: await textOf("heads"),
    tenant: byId("tenant").value.trim(),
  };
  if (given.receipt === null || given.keys === null) {
    show({ claims: null, checked: [], wrong: ["choose a receipt, and the keys to check it with"] });
    return;
  }
  try {
    show(await check(given));
  } catch {
    const wrong = ["this browser could not check it; Ed25519 signatures are needed"];
    show({ claims: null, checked: [], wrong });
  }
}

byId("given").addEventListener("submit", verify);

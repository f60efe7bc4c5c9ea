// Runs the scenario that the query names against the embedded server, with Ant Media's unmodified
// SDK under /sdk, and posts how it ended to /result.
import { WebRTCAdaptor } from "/sdk/index.js";
import { scenarios } from "/scenarios.js";

const query = new URLSearchParams(location.search);
const journal = [];
const note = (text) => journal.push(`${Math.round(performance.now())} ms: ${text}`);

export class Failure extends Error {}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// until waits for a condition, which may be asynchronous, and returns what it came to.
async function until(what, condition, ms = 15000) {
  const end = performance.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Failure(`${what}: not within ${ms} ms`);
    await pause(50);
  }
}

function expect(what, got, want) {
  if (JSON.stringify(got) !== JSON.stringify(want)) {
    throw new Failure(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
  }
}

// Client is one adaptor and everything it was called back with.
class Client {
  constructor(name, server, options = {}) {
    this.name = name;
    this.events = [];
    this.errors = [];
    this.adaptor = new WebRTCAdaptor({
      websocket_url: `ws://${query.get(server)}/live/websocket`,
      mediaConstraints: { video: { width: 320, height: 240, frameRate: 15 }, audio: true },
      peerconnection_config: { iceServers: [] },
      sdp_constraints: { OfferToReceiveAudio: false, OfferToReceiveVideo: false },
      callback: (info, obj) => {
        if (info !== "pong") note(`${name}: ${info} ${brief(obj)}`);
        this.events.push({ info, obj });
      },
      callbackError: (error, message) => {
        note(`${name}: error ${error} ${message ?? ""}`);
        this.errors.push(String(error));
      },
      ...options,
    });
  }

  ready() {
    return this.event("initialized");
  }

  all(info, match = () => true) {
    return this.events.filter((e) => e.info === info && match(e.obj)).map((e) => e.obj);
  }

  // event waits for the nth callback of a name.
  async event(info, match = () => true, n = 1, ms = 15000) {
    await until(`${this.name}: ${n} times ${info}`, () => this.all(info, match).length >= n, ms);
    return this.all(info, match)[n - 1];
  }

  error(definition) {
    return until(`${this.name}: error ${definition}`, () => this.errors.includes(definition));
  }

  connection(id) {
    const c = this.adaptor.remotePeerConnection[id];
    return c && c.connectionState !== "closed" ? c : undefined;
  }

  connected(id) {
    return until(`${this.name}: ${id} connected`, () => this.connection(id)?.connectionState === "connected");
  }

  // tracks are the labels of the remote tracks of a connection, without their prefix, sorted.
  async labels(id) {
    const c = this.connection(id);
    if (!c) return [];
    return c.getTransceivers()
      .filter((t) => ["recvonly", "sendrecv"].includes(t.currentDirection))
      .map((t) => this.adaptor.idMapping[id]?.[t.mid] ?? "?")
      .sort();
  }

  // inbound are the receiving statistics of a connection by label.
  async inbound(id) {
    const found = {};
    const c = this.connection(id);
    if (!c) return found;
    for (const t of c.getTransceivers()) {
      const label = this.adaptor.idMapping[id]?.[t.mid];
      if (!label) continue;
      (await t.receiver.getStats()).forEach((s) => {
        if (s.type === "inbound-rtp") found[label] = s;
      });
    }
    return found;
  }

  // flows waits until pictures are decoded and sound arrives of every label; pictures go on coming.
  async flows(id, labels, decoded = true) {
    const count = (s, label) => !s ? 0 : label.startsWith("ARDAMSv") && decoded ? s.framesDecoded : s.packetsReceived;
    const before = await this.inbound(id);
    await until(`${this.name}: media of ${labels} on ${id}`, async () => {
      const now = await this.inbound(id);
      return labels.every((l) => count(now[l], l) >= count(before[l], l) + 5);
    });
  }

  // stalls waits until nothing more of a label arrives for a second.
  async stalls(id, label) {
    let last = -1;
    await until(`${this.name}: end of ${label}`, async () => {
      const now = (await this.inbound(id))[label]?.packetsReceived ?? 0;
      const same = now === last;
      last = now;
      if (!same) await pause(1000);
      return same;
    });
  }

  data(id) {
    return this.all("data_received", (o) => o.streamId === id).map((o) => o.data);
  }

  close() {
    this.adaptor.closeWebSocket?.();
    this.adaptor.mediaManager?.localStream?.getTracks().forEach((t) => t.stop());
  }
}

function brief(obj) {
  if (obj === undefined) return "";
  const seen = [];
  for (const [k, v] of Object.entries(obj ?? {})) {
    if (["string", "number", "boolean"].includes(typeof v)) seen.push(`${k}=${String(v).slice(0, 60)}`);
    else if (Array.isArray(v)) seen.push(`${k}=[${v.length}]`);
  }
  return typeof obj === "string" ? obj : seen.join(" ");
}

export const tools = { Client, until, expect, pause, note, query };

// What the page itself trips over counts: the SDK throws in callbacks that nobody awaits.
const faults = [];
addEventListener("error", (e) => faults.push(e.message));
addEventListener("unhandledrejection", (e) => faults.push(String(e.reason)));

const result = { ok: false, error: "" };
try {
  const run = scenarios[query.get("scenario")];
  if (!run) throw new Failure("no such scenario");
  await run(tools);
  if (faults.length) throw new Failure(`page errors: ${faults.join("; ")}`);
  result.ok = true;
} catch (e) {
  result.error = e instanceof Failure ? e.message : `${e}\n${e.stack}`;
}
await fetch("/result", { method: "POST", body: JSON.stringify({ ...result, journal: journal.concat(faults) }) });

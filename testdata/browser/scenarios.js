// What the SDK's documentation shows, step by step. "pair" is a server whose joined rooms hold two,
// "mesh" one whose joined rooms are meshes of four.

// room is a conference: everybody publishes and plays.
async function enter(t, name, room, options = {}) {
  const c = new t.Client(name, "pair", options);
  await c.ready();
  c.adaptor.publish(name, null, "", "", name, room, JSON.stringify({ isMicMuted: false }));
  c.adaptor.play({ streamId: room, roomId: "", userPublishId: name });
  await c.event("publish_started");
  await c.event("play_started");
  return c;
}

const av = (...names) => names.flatMap((n) => [`ARDAMSa${n}`, `ARDAMSv${n}`]).sort();
const bytes = (n) => Uint8Array.from({ length: n }, (_, i) => i * 7);
const same = (buffer, want) => {
  const got = new Uint8Array(buffer);
  return got.length === want.length && got.every((b, i) => b === want[i]);
};

async function connect(t) {
  const c = new t.Client("a", "pair");
  await c.ready();
  await c.event("pong", undefined, 2);
  t.expect("errors", c.errors, []);
}

async function p2p(t) {
  const a = new t.Client("a", "pair");
  const b = new t.Client("b", "pair");
  await a.ready();
  await b.ready();
  a.adaptor.join("room");
  await a.event("joined", (o) => o.streamId === "room");
  b.adaptor.join("room");
  await b.event("joined");
  for (const c of [a, b]) {
    await c.connected("room");
    await c.event("newTrackAvailable", (o) => o.streamId === "room", 2);
    await c.event("data_channel_opened");
    t.expect("labels", await c.labels("room"), av("room"));
    await c.flows("room", av("room"));
  }
  await exchange(t, a, "room", [[b, "room"]]);
  await exchange(t, b, "room", [[a, "room"]]);

  const third = new t.Client("c", "pair");
  await third.ready();
  third.adaptor.join("room");
  await third.error("NoSpaceForNewPeer");
  t.expect("third joined", third.all("joined").length, 0);

  b.adaptor.leave("room");
  await b.event("leaved");
  await t.until("the other's connection ends", () => !a.connection("room"));
  b.adaptor.join("room");
  await a.connected("room");
  await b.connected("room");
  await a.flows("room", av("room"));
  t.expect("errors", [a.errors, b.errors], [[], []]);
}

// exchange sends text and binary messages, and has everybody named get each once.
async function exchange(t, from, id, to) {
  const text = `hello from ${from.name}`;
  from.adaptor.sendData(id, text);
  const big = bytes(40000);
  from.adaptor.sendData(id, big.buffer);
  for (const [c, where] of to) {
    await t.until(`${c.name}: text`, () => c.data(where).includes(text));
    await t.until(`${c.name}: 40,000 bytes`, () => c.data(where).some((d) => d instanceof ArrayBuffer && same(d, big)));
  }
  await t.pause(300);
  for (const [c, where] of to) {
    t.expect(`${c.name}: copies`, c.data(where).filter((d) => d === text).length, 1);
  }
}

async function mesh(t) {
  const members = [];
  for (let i = 0; i < 4; i++) {
    const c = new t.Client(`m${i}`, "mesh");
    await c.ready();
    c.adaptor.join("team");
    await c.event("joined");
    members.push(c);
  }
  const peers = (c) => Object.keys(c.adaptor.remotePeerConnection).filter((id) => c.connection(id)?.connectionState === "connected");
  for (const c of members) {
    await t.until(`${c.name}: three peers`, () => peers(c).length === 3);
    for (const id of peers(c)) await c.flows(id, av(id));
  }
  const [first] = members;
  for (const id of peers(first)) first.adaptor.sendData(id, "to each");
  for (const c of members.slice(1)) await c.event("data_received", (o) => o.data === "to each");

  const fifth = new t.Client("m4", "mesh");
  await fifth.ready();
  fifth.adaptor.join("team");
  await fifth.error("NoSpaceForNewPeer");

  members[3].adaptor.leave("team");
  await members[3].event("leaved");
  for (const c of members.slice(0, 3)) await t.until(`${c.name}: two peers`, () => peers(c).length === 2);
  fifth.adaptor.join("team");
  await fifth.event("joined");
  for (const c of [...members.slice(0, 3), fifth]) await t.until(`${c.name}: three peers again`, () => peers(c).length === 3);
}

async function conference(t) {
  const a = await enter(t, "anna", "hall");
  const b = await enter(t, "bert", "hall");
  await a.event("subtrackAdded", (o) => o.trackId === "bert");
  await t.until("anna sees bert", async () => (await a.labels("hall")).join() === av("bert").join());
  const c = await enter(t, "cora", "hall");
  const all = [a, b, c];
  const others = (x) => av(...all.filter((o) => o !== x).map((o) => o.name));
  for (const x of all) {
    await t.until(`${x.name} sees the others`, async () => (await x.labels("hall")).join() === others(x).join());
    await x.flows("hall", others(x));
    t.expect("label of a track", x.all("newTrackAvailable").map((o) => o.trackId).sort(), others(x));
  }
  await exchange(t, a, "anna", [[b, "hall"], [c, "hall"]]);
  await exchange(t, b, "hall", [[a, "hall"], [c, "hall"]]);

  a.adaptor.getRoomInfo("hall", "anna");
  const info = await a.event("roomInformation");
  t.expect("room", [info.room, [...info.streams].sort()], ["hall", ["bert", "cora"]]);
  a.adaptor.getBroadcastObject("hall");
  const hall = JSON.parse((await a.event("broadcastObject", (o) => o.streamId === "hall")).broadcast);
  t.expect("subtracks of the room", [...hall.subTrackStreamIds].sort(), ["anna", "bert", "cora"]);
  b.adaptor.updateStreamMetaData("bert", JSON.stringify({ isMicMuted: true }));
  await t.pause(200);
  a.adaptor.getBroadcastObject("bert");
  const bert = JSON.parse((await a.event("broadcastObject", (o) => o.streamId === "bert")).broadcast);
  t.expect("bert", [bert.name, bert.mainTrackStreamId, JSON.parse(bert.metaData)], ["bert", "hall", { isMicMuted: true }]);
  a.adaptor.getSubtracks("hall", null, 0, 2);
  t.expect("subtracks", (await a.event("subtrackList")).subtrackList.map((s) => JSON.parse(s).streamId), ["anna", "bert"]);
  a.adaptor.getSubtrackCount("hall", null, null);
  t.expect("count", (await a.event("subtrackCount")).count, 3);
  a.adaptor.getStreamInfo("bert");
  const stream = (await a.event("streamInformation")).streamInfo[0];
  t.expect("stream", [stream.streamWidth, stream.streamHeight, stream.videoCodec], [320, 240, "VP8"]);
  a.adaptor.getStreamInfo("nobody");
  await a.error("no_stream_exist");
  a.errors.length = 0;

  c.adaptor.stop("cora");
  c.adaptor.stop("hall");
  await c.event("publish_finished");
  await c.event("play_finished");
  for (const x of [a, b]) {
    await x.event("subtrackRemoved", (o) => o.trackId === "cora");
    await t.until(`${x.name}: cora is gone`, async () => (await x.labels("hall")).join() === av(x === a ? "bert" : "anna").join());
  }
  c.adaptor.publish("cora", null, "", "", "cora", "hall");
  c.adaptor.play({ streamId: "hall", userPublishId: "cora" });
  await c.event("play_started", undefined, 2);
  await a.flows("hall", av("bert", "cora"));
  t.expect("errors", all.map((x) => x.errors), [[], [], []]);
  for (const x of [a, b]) { // the SDK's timer of cora's first play may look at her second
    t.expect(`${x.name}: reconnections`, x.all("reconnection_attempt_for_publisher").length + x.all("reconnection_attempt_for_player").length, 0);
  }
}

// mute switches what one viewer gets, and shows that others go on.
async function mute(t) {
  const a = await enter(t, "anna", "quiet");
  const b = await enter(t, "bert", "quiet");
  const c = await enter(t, "cora", "quiet");
  await b.flows("quiet", av("anna", "cora"));
  await c.flows("quiet", av("anna", "bert"));
  b.adaptor.toggleVideo("quiet", "anna", false);
  await b.stalls("quiet", "ARDAMSvanna");
  await b.flows("quiet", ["ARDAMSaanna", ...av("cora")]);
  await c.flows("quiet", av("anna"));
  b.adaptor.toggleVideo("quiet", "anna", true);
  await b.flows("quiet", av("anna"));
  b.adaptor.enableTrack("quiet", "cora", false);
  await b.stalls("quiet", "ARDAMSacora");
  await b.stalls("quiet", "ARDAMSvcora");
  b.adaptor.enableTrack("quiet", "cora", true);
  await b.flows("quiet", av("cora"));
  a.adaptor.muteLocalMic();
  a.adaptor.sendData("anna", JSON.stringify({ streamId: "anna", eventType: "MIC_MUTED" }));
  await b.event("data_received", (o) => o.streamId === "quiet" && String(o.data).includes("MIC_MUTED"));
  t.expect("errors", [a.errors, b.errors, c.errors], [[], [], []]);
}

// picture is a stream that needs no camera, as of a screen.
function picture() {
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 360;
  const paint = canvas.getContext("2d");
  let n = 0;
  setInterval(() => {
    paint.fillStyle = `hsl(${(n++ * 7) % 360} 80% 50%)`;
    paint.fillRect(0, 0, 640, 360);
  }, 66);
  return canvas.captureStream(15);
}

async function screen(t) {
  const a = await enter(t, "anna", "show");
  const b = await enter(t, "bert", "show");
  const share = new t.Client("anna_presentation", "pair", { localStream: picture() });
  await share.ready();
  share.adaptor.publish("anna_presentation", null, "", "", "anna", "show", JSON.stringify({ isScreenShared: true }));
  await share.event("publish_started");
  const want = [...av("anna"), "ARDAMSvanna_presentation"].sort();
  await t.until("camera and screen", async () => (await b.labels("show")).join() === want.join());
  await b.flows("show", want);
  share.adaptor.stop("anna_presentation");
  await t.until("the camera alone", async () => (await b.labels("show")).join() === av("anna").join());
  await b.flows("show", av("anna"));
  t.expect("errors", [a.errors, b.errors, share.errors], [[], [], []]);
}

// data has one who sends nothing but messages, and one who only looks on.
async function data(t) {
  const a = new t.Client("writer", "pair", { onlyDataChannel: true });
  await a.ready();
  a.adaptor.publish("writer", null, "", "", "writer", "notes");
  await a.event("publish_started");
  const viewer = new t.Client("viewer", "pair", { isPlayMode: true });
  await viewer.ready();
  viewer.adaptor.play("notes");
  await viewer.event("play_started");
  await viewer.event("data_channel_opened");
  await exchange(t, a, "writer", [[viewer, "notes"]]);
  t.expect("errors", [a.errors, viewer.errors], [[], []]);
}

// drop cuts a participant's socket: the SDK comes back, and takes its stream's name again.
async function drop(t) {
  const a = await enter(t, "anna", "storm");
  const b = await enter(t, "bert", "storm");
  await b.flows("storm", av("anna"));
  a.adaptor.webSocketAdaptor.wsConn.close();
  await a.event("closed");
  await a.event("reconnection_attempt_for_publisher");
  await a.event("publish_started", undefined, 2);
  await a.event("play_started", undefined, 2);
  await t.until("bert sees anna again", async () => (await b.labels("storm")).join() === av("anna").join());
  await b.flows("storm", av("anna"));
  await a.flows("storm", av("bert"));
  t.expect("errors of the one who stayed", b.errors, []);
}

// legacy is a room of the pages before 2024: a list of streams, each played on its own.
async function legacy(t) {
  const join = async (name) => {
    const c = new t.Client(name, "pair");
    await c.ready();
    c.adaptor.joinRoom("old", name, "legacy", name);
    const joined = await c.event("joinedTheRoom");
    t.expect("own name", [joined.streamId, joined.ATTR_ROOM_NAME], [name, "old"]);
    c.adaptor.publish(joined.streamId);
    await c.event("publish_started");
    return [c, joined];
  };
  const [a, first] = await join("anna");
  t.expect("streams of an empty room", first.streams, []);
  const [b, second] = await join("bert");
  t.expect("streams of the room", second.streams, ["anna"]);
  t.expect("their names", second.streamList.map((s) => [s.streamId, s.streamName]), [["anna", "anna"]]);
  b.adaptor.play("anna", null, "old");
  await b.event("play_started", (o) => o.streamId === "anna");
  await b.flows("anna", av("anna"));
  a.adaptor.getRoomInfo("old", "anna");
  t.expect("room", (await a.event("roomInformation")).streams, ["bert"]);
  a.adaptor.play("bert", null, "old");
  await a.flows("bert", av("bert"));
  b.adaptor.leaveFromRoom("old", "bert");
  await b.event("leavedFromRoom", (o) => o.ATTR_ROOM_NAME === "old");
  await a.event("play_finished", (o) => o.streamId === "bert");
  a.adaptor.getRoomInfo("old", "anna");
  await t.until("bert is gone", () => a.errors.includes("no_active_streams_in_room") || a.all("roomInformation").some((o) => o.streams.length === 0));
}

// bots sits in a conference with peers of peerfleet: what they send arrives.
async function bots(t) {
  const room = t.query.get("room");
  const a = await enter(t, "anna", room);
  const want = 4; // audio and video of two
  await t.until("the bots' tracks", async () => (await a.labels(room)).length === want, 40000);
  await a.flows(room, await a.labels(room), false);
  t.expect("errors", a.errors, []);
  await t.until("the bots have gone", async () => (await a.labels(room)).length === 0, 40000);
}

export const scenarios = { connect, p2p, mesh, conference, mute, screen, data, drop, legacy, bots };

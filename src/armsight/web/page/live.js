// The page of `armsight live`: asks for the newest picture again and again, and draws it.
import { Arm } from "./arm.js";
import { Curves } from "./curves.js";
import { Renderer, Room, drawOverPicture } from "./draw.js";

const $ = id => document.getElementById(id);
const CHAIN = ["#3cdc8c", "#9bd964", "#ffd73c", "#ffab4e", "#ff7f5f", "#ff5f78", "#ff4696"];
const state = {
  after: 0,        // number of the newest packet
  shown: null,     // {bitmap, size, estimate, name, frame, full}
  photo: false,    // a photo that was opened is on the page, not the video
  hold: false,
  drawn: 0, started: performance.now(), received: [],
};
window.armsight = state;  // for tests, and for the curious

let arm, room, overlay, curves;

async function start() {
  const about = await (await fetch("live/about")).json();
  arm = new Arm(about.robot);
  state.arm = arm;
  overlay = new Renderer($("overlay"), arm);
  room = new Room($("space"), arm);
  curves = new Curves($("curves"), arm);
  state.room = room;
  room.show({ joint_positions: arm.ready }, [640, 480]);
  $("source").textContent = about.source ? `${arm.name} · ${about.source.name}` : arm.name;
  if (!overlay.gl) say("This browser shows no WebGL: the arm is not drawn, the numbers are right.");
  connectControls(about.source);
  if (about.source) follow(about.source);
  else Object.assign($("hint"), { textContent: "Drop a photo of the arm here" });
}

async function follow(source) {
  $("hint").textContent = "Waiting for the first picture …";
  $("hint-more").hidden = true;
  $("hold").hidden = false;
  for (;;) {
    try {
      const response = await fetch(`live/next?after=${state.after}`);
      if (response.status === 204) continue;
      if (!response.ok) throw new Error((await response.json()).error.message);
      const { head, jpeg } = unpack(await response.arrayBuffer());
      state.after = head.number;
      await take(source, head, jpeg);
      lost(false);
    } catch (error) {
      lost(true);
      await new Promise(resolve => setTimeout(resolve, 1000));
      state.after = 0;
    }
  }
}

function unpack(packet) {
  const length = new DataView(packet).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(packet, 4, length)));
  return { head, jpeg: packet.byteLength > 4 + length ? new Uint8Array(packet, 4 + length) : null };
}

async function take(source, head, jpeg) {
  chip("state", { waiting: "waiting", playing: source.live ? "live" : "playing", ended: "ended",
                  failed: "stopped" }[head.state], head.state === "failed" ? "bad" : "");
  if (head.state === "failed" && head.message) say(head.message);
  $("replay").hidden = source.live || !["ended", "failed"].includes(head.state);
  const delay = head.age == null ? "" : ` · ${Math.round(head.age * 1000)} ms behind`;
  $("rates").textContent = head.shown_fps
    ? `${head.shown_fps.toFixed(1)} fps shown · ${head.read_fps.toFixed(1)} fps read${source.live ? delay : ""}` : "";
  head.joints.forEach(remember);
  if (!state.photo && head.joints.length) curves.show(state.received.at(-1), source.photos);
  if (!jpeg || state.photo || state.hold) return;
  const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
  const name = head.name ? head.name.split(/[\\/]/).pop() : source.name;
  show({ bitmap, size: head.size, estimate: head.estimate, name, frame: head.frame, photos: source.photos });
}

// Keep the joints of the last frames, for the curves, also of those whose pictures were skipped.
function remember(estimate) {
  const last = state.received.at(-1);
  if (last && estimate.frame <= last.frame) {
    if (estimate.frame > 0) return;
    state.received = [];  // played again
  }
  state.received.push(estimate);
  if (state.received.length > 1200) state.received.shift();
  curves.add(estimate.time, estimate);
}

function show(next) {
  state.shown?.bitmap.close?.();
  state.shown = next;
  state.drawn += 1;
  $("empty").hidden = true;
  $("save").disabled = false;
  draw();
}

function draw() {
  const { shown } = state;
  if (!shown) return;
  const { bitmap, size, estimate } = shown, video = $("video");
  fit(size);
  Object.assign(video, { width: bitmap.width, height: bitmap.height });
  video.getContext("2d").drawImage(bitmap, 0, 0);
  drawOverPicture(overlay, $("show-arm").checked ? estimate : null, size);
  drawMarks($("marks"), $("show-marks").checked ? estimate : null, size);
  const found = estimate?.robot_found;
  if (estimate) chip("found", found ? `confidence ${estimate.confidence.toFixed(2)}` : "no arm found", found ? "good" : "bad");
  else $("found").hidden = true;
  room.show(estimate, size);
  if (state.photo) curves.show(estimate, true);
}

// The picture as large as its section allows.
function fit([width, height]) {
  const place = $("picture"), scale = Math.min(place.clientWidth / width, place.clientHeight / height);
  Object.assign($("frame").style, { width: `${width * scale}px`, height: `${height * scale}px` });
}

function drawMarks(canvas, estimate, [width, height]) {
  const scale = Math.min(1, 1280 / Math.max(width, height)), unit = Math.max(width, height) * scale / 640;
  Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
  const context = canvas.getContext("2d");
  context.lineCap = "round";
  for (const one of estimate ? [...(estimate.others ?? []), estimate] : []) {
    if (!one.keypoints_2d) continue;
    const points = one.keypoint_names.map(name => one.keypoints_2d[name]?.map(v => (v + 0.5) * scale));
    const known = point => point && point.every(v => Number.isFinite(v) && Math.abs(v) < 1e5);
    const colour = i => CHAIN[Math.min(CHAIN.length - 1, Math.round(i * (CHAIN.length - 1) / Math.max(1, arm.origins - 1)))];
    for (const [stroke, thick] of [["#12161c", 5], [null, 3]])
      for (const [a, b] of arm.skeleton) {
        if (!known(points[a]) || !known(points[b])) continue;
        context.beginPath();
        context.moveTo(...points[a]);
        context.lineTo(...points[b]);
        context.lineWidth = thick * unit;
        context.strokeStyle = stroke ?? colour(b);
        context.stroke();
      }
    points.slice(0, arm.origins).forEach((point, i) => {
      if (!known(point)) return;
      const spread = one.keypoints_2d_std?.[one.keypoint_names[i]];
      if (spread) disc(context, point, Math.min(2 * spread * scale, canvas.width / 4), colour(i), 0.18);
      disc(context, point, 4.4 * unit, "#fff", 1);
      disc(context, point, 3 * unit, colour(i), 1);
    });
  }
}

function disc(context, [x, y], radius, colour, alpha) {
  context.globalAlpha = alpha;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fillStyle = colour;
  context.fill();
  context.globalAlpha = 1;
}

async function readPhoto(file) {
  if (!file) return;
  quiet();
  chip("state", "reading", "");
  const query = $("fov").value ? `?fov_deg=${encodeURIComponent($("fov").value)}` : "";
  try {
    const response = await fetch(`v1/estimate${query}`, {
      method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" },
    });
    const estimate = await response.json();
    if (!response.ok) throw new Error(estimate.error?.message ?? response.statusText);
    estimate.image = file.name;
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      throw new Error("it was read, but this browser cannot show such files");
    }
    state.photo = true;
    state.lastPhoto = file;
    $("back").hidden = $("hold").hidden;
    room.look();
    show({ bitmap, size: [bitmap.width, bitmap.height], estimate, name: file.name, frame: null, photos: true });
    $("source").textContent = `${arm.name} · ${file.name}`;
    state.photoCount = (state.photoCount ?? 0) + 1;
    const notes = (estimate.messages ?? []).filter(m => !m.startsWith("no "));
    if (notes.length) say(notes.join(". "), true);
  } catch (error) {
    say(error instanceof TypeError ? "The server does not answer." : `${file.name}: ${error.message}`);
  }
  $("state").hidden = true;
}

async function save() {
  const { shown } = state, name = shown.name.replace(/\.[^.]*$/, "") + (shown.frame == null || shown.photos ? "" : `_${String(shown.frame).padStart(6, "0")}`);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: shown.bitmap.width, height: shown.bitmap.height });
  const context = canvas.getContext("2d");
  context.drawImage(shown.bitmap, 0, 0);
  for (const [id, alpha] of [["overlay", 0.5], ["marks", 1]]) {
    context.globalAlpha = alpha;
    context.drawImage($(id), 0, 0, canvas.width, canvas.height);
  }
  const picture = await new Promise(resolve => canvas.toBlob(resolve, "image/png"));
  const text = JSON.stringify(shown.estimate, null, 1);
  download(picture, `${name}.overlay.png`);
  download(new Blob([text], { type: "application/json" }), `${name}.json`);
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function connectControls(source) {
  $("save").onclick = save;
  $("file").onchange = event => { readPhoto(event.target.files[0]); event.target.value = ""; };
  $("show-arm").onchange = $("show-marks").onchange = draw;
  $("fov").onchange = () => { if (state.photo) readPhoto(state.lastPhoto); };
  $("back").onclick = () => {
    state.photo = false;
    $("back").hidden = true;
    $("source").textContent = `${arm.name} · ${source.name}`;
    state.after = 0;  // also when nothing new comes
    curves.show(state.received.at(-1), source.photos);
    room.look();
  };
  $("hold").onclick = () => {
    state.hold = !state.hold;
    $("hold").setAttribute("aria-pressed", state.hold);
    if (!state.hold) state.after = 0;
  };
  $("replay").onclick = () => { curves.clear(); state.received = []; fetch("live/replay", { method: "POST" }); };
  $("message").querySelector("button").onclick = quiet;
  window.addEventListener("resize", draw);
  let inside = 0;
  const drop = $("drop"), leave = () => { inside = 0; drop.hidden = true; };
  window.addEventListener("dragenter", event => { event.preventDefault(); inside += 1; drop.hidden = false; });
  window.addEventListener("dragleave", () => { inside -= 1; if (inside <= 0) leave(); });
  window.addEventListener("dragover", event => event.preventDefault());
  window.addEventListener("drop", event => {
    event.preventDefault();
    leave();
    readPhoto(event.dataTransfer.files[0]);
  });
}

function chip(id, text, kind) {
  const one = $(id);
  one.hidden = !text;
  one.textContent = text ?? "";
  one.className = `chip ${kind}`;
}

let fading;
function say(text, soon = false) {
  $("message").hidden = false;
  $("message").className = soon ? "note" : "";
  $("message").querySelector("span").textContent = text;
  clearTimeout(fading);
  if (soon) fading = setTimeout(quiet, 8000);
}

function quiet() { $("message").hidden = true; }

let wasLost = false;
function lost(now) {
  if (now && !wasLost) say("The server does not answer; trying again.");
  if (!now && wasLost) quiet();
  wasLost = now;
}

start().catch(error => say(`The page cannot start: ${error.message}`));

// A small WebGL renderer: the arm over its picture, and the arm in a room that can be turned.
import { apply, inverseRigid, multiply } from "./arm.js";

const VERTEX = `
attribute vec3 position, normal;
uniform mat4 toEye, toClip;
varying vec3 n, p;
void main() {
  vec4 eye = toEye * vec4(position, 1.0);
  p = eye.xyz; n = mat3(toEye) * normal;
  gl_Position = toClip * eye;
}`;
const FRAGMENT = `
precision mediump float;
varying vec3 n, p;
uniform vec3 colour;
uniform float flat_;
void main() {
  vec3 m = normalize(n), view = normalize(-p);
  if (dot(m, view) < 0.0) m = -m;
  float light = 0.30 + 0.55 * max(0.0, dot(m, normalize(view + vec3(0.35, 0.5, 0.1)))) +
                0.15 * pow(max(0.0, dot(m, view)), 24.0);
  gl_FragColor = vec4(colour * mix(light, 1.0, flat_), 1.0);
}`;
const NEAR = 0.02, FAR = 60;

export class Renderer {
  constructor(canvas, arm) {
    this.canvas = canvas;
    this.arm = arm;
    canvas.addEventListener("webglcontextlost", event => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => this.prepare());
    this.prepare();
  }

  prepare() {
    const gl = this.gl = this.canvas.getContext("webgl", { antialias: true, preserveDrawingBuffer: true });
    if (!gl) return;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.at = name => gl.getUniformLocation(program, name);
    this.places = Object.fromEntries(["toEye", "toClip", "colour", "flat_"].map(name => [name, this.at(name)]));
    this.position = gl.getAttribLocation(program, "position");
    this.normal = gl.getAttribLocation(program, "normal");
    gl.enableVertexAttribArray(this.position);
    gl.enableVertexAttribArray(this.normal);
    gl.enable(gl.DEPTH_TEST);
    this.meshes = this.arm.links.map(link => link.triangles && this.buffer(link.triangles));
    this.lines = gl.createBuffer();
  }

  buffer(data) {
    const made = this.gl.createBuffer();
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, made);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, data, this.gl.STATIC_DRAW);
    return { made, count: data.length / 6 };
  }

  begin(width, height, toClip) {
    const { gl, canvas } = this;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniformMatrix4fv(this.places.toClip, false, new Float32Array(toClip));
  }

  drawArm(baseToEye, q, colours) {
    const { gl } = this;
    gl.uniform1f(this.places.flat_, 0);
    this.arm.frames(q).forEach((frame, i) => {
      if (!this.meshes[i]) return;
      gl.uniformMatrix4fv(this.places.toEye, false, new Float32Array(multiply(baseToEye, frame)));
      gl.uniform3fv(this.places.colour, colours(i));
      gl.bindBuffer(gl.ARRAY_BUFFER, this.meshes[i].made);
      gl.vertexAttribPointer(this.position, 3, gl.FLOAT, false, 24, 0);
      gl.vertexAttribPointer(this.normal, 3, gl.FLOAT, false, 24, 12);
      gl.drawArrays(gl.TRIANGLES, 0, this.meshes[i].count);
    });
  }

  drawLines(toEye, points, colour) {  // pairs of points
    const { gl } = this, data = new Float32Array(points.flatMap(p => [...p, 0, 0, 1]));
    gl.uniform1f(this.places.flat_, 1);
    gl.uniformMatrix4fv(this.places.toEye, false, new Float32Array(toEye));
    gl.uniform3fv(this.places.colour, colour);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.lines);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
    gl.vertexAttribPointer(this.position, 3, gl.FLOAT, false, 24, 0);
    gl.vertexAttribPointer(this.normal, 3, gl.FLOAT, false, 24, 12);
    gl.drawArrays(gl.LINES, 0, points.length);
  }
}

// From the camera frame (x right, y down, z ahead) to clip space, so that pixel (u, v) of a picture
// of that size, with pixel centres at integers, lands where the picture shows it.
export function pictureProjection(K, [width, height]) {
  const [fx, fy, cx, cy] = [K[0][0], K[1][1], K[0][2] + 0.5, K[1][2] + 0.5], skew = K[0][1];
  const a = (FAR + NEAR) / (FAR - NEAR), b = -2 * FAR * NEAR / (FAR - NEAR);
  return [2 * fx / width, 0, 0, 0, 2 * skew / width, -2 * fy / height, 0, 0,
          2 * cx / width - 1, 1 - 2 * cy / height, a, 1, 0, 0, b, 0];
}

const CYAN = [0.16, 0.88, 1];
const shade = (i, n) => { const w = n > 1 ? i / (n - 1) : 0; return [0.93 - 0.1 * w, 0.94 - 0.06 * w, 0.96]; };

export function drawOverPicture(renderer, estimate, size) {
  if (!renderer.gl) return;
  const scale = Math.min(1, 1280 / Math.max(...size));
  const [width, height] = size.map(side => Math.round(side * scale));
  renderer.begin(width, height, estimate?.T_cam_base ? pictureProjection(estimate.K, size) : new Array(16).fill(0));
  for (const one of estimate ? [...(estimate.others ?? []), estimate] : [])
    if (one.T_cam_base) renderer.drawArm(rows(one.T_cam_base), one.joint_positions, () => CYAN);
}

const rows = T => Float64Array.of(...[0, 1, 2, 3].flatMap(c => [0, 1, 2].map(r => T[r][c]).concat(c === 3 ? 1 : 0)));

// The room: the base stands in the origin, z up.
export class Room {
  constructor(canvas, arm) {
    this.renderer = new Renderer(canvas, arm);
    this.canvas = canvas;
    this.arm = arm;
    this.home();
    let last = null;
    canvas.addEventListener("pointerdown", event => {
      last = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointerup", () => { last = null; });
    canvas.addEventListener("pointermove", event => {
      if (!last) return;
      this.touched = true;
      const dx = event.clientX - last[0], dy = event.clientY - last[1];
      last = [event.clientX, event.clientY];
      if (event.shiftKey || event.buttons === 4) this.move(dx, dy);
      else this.turn(dx, dy);
    });
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      this.touched = true;
      this.distance = Math.min(12, Math.max(0.3, this.distance * Math.exp(event.deltaY / 800)));
      this.draw();
    }, { passive: false });
    canvas.addEventListener("dblclick", () => { this.home(); this.show(this.estimate, this.size); });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  // Turn the view to the next estimate's camera, unless a hand has turned it.
  look() { this.aimed = false; }

  aim({ T_cam_base }) {
    if (this.aimed || this.touched || !T_cam_base) return;
    this.aimed = true;
    const camera = inverseRigid(rows(T_cam_base)), [x, y, z] = [camera[12], camera[13], camera[14]];
    const reach = this.arm.reach, away = Math.hypot(x, y, z);
    this.azimuth = Math.atan2(y, x) + 1.1;
    this.elevation = 0.4;
    this.distance = Math.min(8, Math.max(1.9 * reach, 1.05 * away + 0.8 * reach));
    this.target = [0.4 * x, 0.4 * y, 0.5 * Math.max(0.5 * reach, 0.4 * z)];
  }

  home() {
    this.touched = this.aimed = false;
    Object.assign(this, { azimuth: -0.7, elevation: 0.35, distance: 1.9 * this.arm.reach,
                          target: [0, 0, 0.4 * this.arm.reach] });
  }

  turn(dx, dy) {
    this.azimuth -= dx / 150;
    this.elevation = Math.min(1.55, Math.max(-1.2, this.elevation + dy / 150));
    this.draw();
  }

  move(dx, dy) {
    const step = this.distance / this.canvas.clientHeight, s = Math.sin(this.azimuth), c = Math.cos(this.azimuth);
    this.target = [this.target[0] + s * dx * step, this.target[1] - c * dx * step, this.target[2] + dy * step];
    this.draw();
  }

  show(estimate, size) {
    this.estimate = estimate;
    this.size = size;
    if (estimate) this.aim(estimate);
    this.draw();
  }

  draw() {
    const { canvas, renderer } = this, ratio = Math.min(2, devicePixelRatio || 1);
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (!renderer.gl || !width || !height) return;
    const eye = this.toEye(), f = 1.9, a = (FAR + NEAR) / (NEAR - FAR), b = 2 * FAR * NEAR / (NEAR - FAR);
    const aspect = Math.min(1, width / height);
    renderer.begin(width, height, [f * aspect * height / width, 0, 0, 0, 0, f * aspect, 0, 0, 0, 0, a, -1, 0, 0, b, 0]);
    renderer.drawLines(eye, floor(), [0.17, 0.21, 0.26]);
    [[1, 0.35, 0.35], [0.35, 0.85, 0.4], [0.35, 0.55, 1]].forEach((colour, i) =>
      renderer.drawLines(eye, [[0, 0, 0.002], [0, 1, 2].map(k => (k === i ? 0.25 : k === 2 ? 0.002 : 0))], colour));
    const { estimate } = this, links = this.arm.links.length;
    if (!estimate?.joint_positions) return;
    renderer.drawArm(eye, estimate.joint_positions, i => shade(i, links));
    if (estimate.T_cam_base) {
      const base = rows(estimate.T_cam_base), camera = inverseRigid(base);
      renderer.drawLines(eye, frustum(camera, estimate.K, this.size), CYAN);
      for (const other of estimate.others ?? [])
        if (other.T_cam_base)
          renderer.drawArm(multiply(eye, multiply(camera, rows(other.T_cam_base))), other.joint_positions,
                           () => [0.55, 0.6, 0.68]);
    }
  }

  toEye() {
    const [sa, ca, se, ce] = [Math.sin(this.azimuth), Math.cos(this.azimuth),
                              Math.sin(this.elevation), Math.cos(this.elevation)];
    const back = [ca * ce, sa * ce, se], right = [-sa, ca, 0], up = [-ca * se, -sa * se, ce];
    const from = this.target.map((t, i) => t + this.distance * back[i]);
    const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
    return [right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0,
            -dot(right, from), -dot(up, from), -dot(back, from), 1];
  }
}

function floor() {
  const lines = [];
  for (let i = -6; i <= 6; i++) lines.push([i / 4, -1.5, 0], [i / 4, 1.5, 0], [-1.5, i / 4, 0], [1.5, i / 4, 0]);
  return lines;
}

function frustum(camera, K, [width, height], depth = 0.3) {
  const corner = (u, v) => apply(camera, [(u - K[0][2]) / K[0][0] * depth, (v - K[1][2]) / K[1][1] * depth, depth]);
  const corners = [corner(0, 0), corner(width, 0), corner(width, height), corner(0, height)];
  const eye = apply(camera, [0, 0, 0]), top = corner(width / 2, -height / 4);
  return [...corners.flatMap(c => [eye, c]), ...corners.flatMap((c, i) => [c, corners[(i + 1) % 4]]),
          corners[0], top, top, corners[1]];
}

// A robot's chain and meshes, and forward kinematics: the same lines as armsight.robots.kinematics.
// Matrices are 4x4, by columns, as WebGL takes them.

const CREASE = Math.cos(40 * Math.PI / 180);  // sharper edges stay sharp in the shading

export function multiply(a, b) {
  const out = new Float64Array(16);
  for (let column = 0; column < 4; column++)
    for (let row = 0; row < 4; row++) {
      let sum = 0;
      for (let k = 0; k < 4; k++) sum += a[k * 4 + row] * b[column * 4 + k];
      out[column * 4 + row] = sum;
    }
  return out;
}

export function rigid(R, t) {  // R as rows, t
  return Float64Array.of(R[0][0], R[1][0], R[2][0], 0, R[0][1], R[1][1], R[2][1], 0,
                         R[0][2], R[1][2], R[2][2], 0, t[0], t[1], t[2], 1);
}

export function fromRows(T) {
  return rigid(T, [T[0][3], T[1][3], T[2][3]]);
}

export function inverseRigid(m) {
  const R = [[m[0], m[1], m[2]], [m[4], m[5], m[6]], [m[8], m[9], m[10]]];  // transposed
  const t = R.map(row => -(row[0] * m[12] + row[1] * m[13] + row[2] * m[14]));
  return rigid(R, t);
}

export function apply(m, [x, y, z]) {
  return [0, 1, 2].map(i => m[i] * x + m[4 + i] * y + m[8 + i] * z + m[12 + i]);
}

function turn([x, y, z], angle) {
  const s = Math.sin(angle), c = Math.cos(angle), d = 1 - c;
  return rigid([[c + x * x * d, x * y * d - z * s, x * z * d + y * s],
                [y * x * d + z * s, c + y * y * d, y * z * d - x * s],
                [z * x * d - y * s, z * y * d + x * s, c + z * z * d]], [0, 0, 0]);
}

export class Arm {
  constructor(model) {
    this.name = model.name;
    this.jointNames = model.joint_names;
    this.limits = model.joint_limits;
    this.ready = model.ready_positions;
    this.skeleton = model.skeleton;
    this.origins = model.num_origin_keypoints;
    this.reach = model.reach;
    this.links = model.links.map(link => ({
      ...link, fixed: rigid(link.rotation, link.translation), triangles: link.mesh && shaded(link.mesh),
    }));
  }

  // Link frames in the base frame for joint positions [rad].
  frames(q) {
    const frames = [];
    for (const link of this.links) {
      const moved = link.joint < 0 ? link.fixed : multiply(link.fixed, turn(link.axis, q[link.joint]));
      frames.push(link.parent < 0 ? moved : multiply(frames[link.parent], moved));
    }
    return frames;
  }
}

function bytes(text) {
  return Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;
}

// Corners of triangles with their normals, interleaved: x y z nx ny nz.
function shaded(mesh) {
  const vertices = new Float32Array(bytes(mesh.vertices));
  const faces = new (mesh.wide ? Uint32Array : Uint16Array)(bytes(mesh.faces));
  const count = faces.length / 3, normals = [], around = new Map();
  const key = v => [0, 1, 2].map(i => Math.round(vertices[3 * v + i] * 1e5)).join();
  for (let f = 0; f < count; f++) {
    const [a, b, c] = [0, 1, 2].map(i => vertices.subarray(3 * faces[3 * f + i], 3 * faces[3 * f + i] + 3));
    const u = [0, 1, 2].map(i => b[i] - a[i]), v = [0, 1, 2].map(i => c[i] - a[i]);
    normals.push([u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]);
    for (let i = 0; i < 3; i++) {
      const at = key(faces[3 * f + i]);
      if (!around.has(at)) around.set(at, []);
      around.get(at).push(f);
    }
  }
  const unit = n => { const l = Math.hypot(...n) || 1; return n.map(x => x / l); };
  const units = normals.map(unit), out = new Float32Array(count * 18);
  for (let f = 0; f < count; f++)
    for (let i = 0; i < 3; i++) {
      const v = faces[3 * f + i], sum = [0, 0, 0];
      for (const g of around.get(key(v)))
        if (units[f][0] * units[g][0] + units[f][1] * units[g][1] + units[f][2] * units[g][2] > CREASE)
          for (let k = 0; k < 3; k++) sum[k] += normals[g][k];
      out.set([...vertices.subarray(3 * v, 3 * v + 3), ...unit(sum)], 18 * f + 6 * i);
    }
  return out;
}

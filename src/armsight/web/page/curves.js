// Joint angles with a band of one standard deviation: over time, or for a photo between the limits.
const SECONDS = 12, DEGREES = 180 / Math.PI, KEPT = 1200, GAP = 1.5;
const HUE = ["#3ddc84", "#9be15d", "#ffd73c", "#ffae42", "#ff7a5c", "#ff4696", "#c46bff", "#6f8cff"];

export class Curves {
  constructor(place, arm) {
    this.points = [];  // {time, q, std}
    this.shown = null;
    this.charts = arm.jointNames.map((name, i) => {
      const box = document.createElement("div"), canvas = document.createElement("canvas");
      const label = document.createElement("div"), value = document.createElement("div");
      label.className = "name";
      label.textContent = label.title = name;
      value.className = "value";
      value.textContent = "–";
      box.append(canvas, label, value);
      place.append(box);
      return { canvas, value, colour: HUE[i % HUE.length], limits: arm.limits[i].map(x => x * DEGREES) };
    });
    new ResizeObserver(() => this.draw()).observe(place);
  }

  clear() {
    this.points = [];
    this.show(null, false);
  }

  add(time, estimate) {
    if (this.points.length && time < this.points.at(-1).time) this.points = [];
    if (this.points.length && time === this.points.at(-1).time) return;
    this.points.push({ time, q: estimate.joint_positions, std: estimate.joint_std });
    if (this.points.length > KEPT) this.points.splice(0, this.points.length - KEPT);
  }

  // `still`: the estimate is of a photo, which has no course in time.
  show(estimate, still) {
    this.still = still ? estimate : null;
    this.charts.forEach((chart, i) => {
      const q = estimate?.joint_positions?.[i], std = estimate?.joint_std?.[i];
      chart.value.textContent = q == null ? "–" : `${(q * DEGREES).toFixed(1)}°`;
      if (q != null && std != null) {
        const small = document.createElement("small");
        small.textContent = `± ${(std * DEGREES).toFixed(1)}°`;
        chart.value.append(small);
      }
    });
    this.draw();
  }

  draw() {
    const ratio = Math.min(2, devicePixelRatio || 1), end = this.points.at(-1)?.time ?? 0;
    const recent = this.points.filter(p => p.time >= end - SECONDS);
    this.charts.forEach((chart, i) => {
      const { canvas, colour, limits } = chart;
      const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
      if (!width || !height) return;
      Object.assign(canvas, { width, height });
      if (this.still) {
        gauge(canvas.getContext("2d"), ratio, width, height, chart, this.still, i);
        return;
      }
      const context = canvas.getContext("2d"), seen = recent.filter(p => p.q);
      if (!seen.length) return;
      const values = seen.map(p => p.q[i] * DEGREES), spread = seen.map(p => (p.std?.[i] ?? 0) * DEGREES);
      const sorted = [...spread].sort((a, b) => a - b), typical = sorted[Math.floor(sorted.length / 2)];
      let low = Math.min(...values) - 1.5 * typical, high = Math.max(...values) + 1.5 * typical;
      const middle = (low + high) / 2, half = Math.max(6, (high - low) / 2);
      [low, high] = [middle - half, middle + half];
      const top = 46 * ratio, bottom = height - 8 * ratio;
      const x = t => width * (1 - (end - t) / SECONDS) - 4 * ratio;
      const y = v => bottom - (v - low) / (high - low) * (bottom - top);
      context.save();
      context.beginPath();
      context.rect(0, top - 6 * ratio, width, height);
      context.clip();
      grid(context, ratio, width, low, high, y);
      for (const part of parts(recent, i)) {
        context.beginPath();
        part.forEach((p, k) => context[k ? "lineTo" : "moveTo"](x(p.time), y((p.q[i] + (p.std?.[i] ?? 0)) * DEGREES)));
        [...part].reverse().forEach(p => context.lineTo(x(p.time), y((p.q[i] - (p.std?.[i] ?? 0)) * DEGREES)));
        context.globalAlpha = 0.22;
        context.fillStyle = colour;
        context.fill();
        context.globalAlpha = 1;
        context.beginPath();
        part.forEach((p, k) => context[k ? "lineTo" : "moveTo"](x(p.time), y(p.q[i] * DEGREES)));
        context.lineWidth = 1.8 * ratio;
        context.strokeStyle = colour;
        context.stroke();
      }
      const last = seen.at(-1);
      if (last.time === end) dot(context, x(end), y(last.q[i] * DEGREES), 3 * ratio, colour);
      context.restore();
      for (const limit of limits) if (limit > low && limit < high) dashed(context, ratio, width, y(limit));
    });
  }
}

// One angle and its band between the joint's limits.
function gauge(context, ratio, width, height, { limits, colour }, estimate, i) {
  const q = estimate.joint_positions?.[i], std = estimate.joint_std?.[i] ?? 0;
  const margin = 14 * ratio, y = Math.min(height - 34 * ratio, 46 * ratio + (height - 46 * ratio) / 2.4);
  const x = v => margin + (v - limits[0]) / (limits[1] - limits[0]) * (width - 2 * margin);
  const inside = v => Math.min(width - margin, Math.max(margin, v));
  context.lineCap = "round";
  context.lineWidth = 6 * ratio;
  context.strokeStyle = "#26303b";
  context.beginPath();
  context.moveTo(x(limits[0]), y);
  context.lineTo(x(limits[1]), y);
  context.stroke();
  context.font = `${10 * ratio}px system-ui, sans-serif`;
  context.fillStyle = "#5c6a7a";
  context.textAlign = "left";
  context.fillText(`${limits[0].toFixed(0)}°`, margin - 4 * ratio, y + 20 * ratio);
  context.textAlign = "right";
  context.fillText(`${limits[1].toFixed(0)}°`, width - margin + 4 * ratio, y + 20 * ratio);
  if (q == null) return;
  context.strokeStyle = colour;
  context.globalAlpha = 0.35;
  context.beginPath();
  context.moveTo(inside(x((q - std) * DEGREES)), y);
  context.lineTo(inside(x((q + std) * DEGREES)), y);
  context.stroke();
  context.globalAlpha = 1;
  dot(context, x(q * DEGREES), y, 5 * ratio, colour);
}

// Runs of points without a gap.
function* parts(points) {
  let part = [];
  for (const p of points) {
    if (!p.q || (part.length && p.time - part.at(-1).time > GAP)) {
      if (part.length) yield part;
      part = [];
    }
    if (p.q) part.push(p);
  }
  if (part.length) yield part;
}

function dot(context, x, y, radius, colour) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fillStyle = colour;
  context.fill();
}

function dashed(context, ratio, width, y) {
  context.setLineDash([4 * ratio, 4 * ratio]);
  context.strokeStyle = "#ff6b6b";
  context.lineWidth = ratio;
  context.beginPath();
  context.moveTo(0, y);
  context.lineTo(width, y);
  context.stroke();
  context.setLineDash([]);
}

function grid(context, ratio, width, low, high, y) {
  const step = [1, 2, 5, 10, 20, 45, 90].find(s => (high - low) / s <= 4) ?? 180;
  context.font = `${10 * ratio}px system-ui, sans-serif`;
  context.fillStyle = context.strokeStyle = "#5c6a7a";
  context.lineWidth = 0.5 * ratio;
  context.textAlign = "right";
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) {
    context.globalAlpha = 0.5;
    context.beginPath();
    context.moveTo(0, y(v));
    context.lineTo(width, y(v));
    context.stroke();
    context.globalAlpha = 1;
    context.fillText(`${v}°`, width - 4 * ratio, y(v) - 2 * ratio);
  }
}

// Charts of the last minute on a canvas: stacked areas or lines, axes with units, marks where connections were lost.
import { kBucketMs, kBuckets } from "./demo-stats.js";

const kLeft = 44;
const kRight = 10;
const kTop = 14;
const kBottom = 20;
const kSeconds = (kBuckets * kBucketMs) / 1000;

/** 1, 2 or 5 times a power of ten: the step that gives about `count` ticks. */
export function tickStep(max, count) {
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= rough);
}

function formatTick(value) {
  if (value >= 10000) return `${value / 1000}k`;
  return String(Number(value.toPrecision(6)));
}

export class Chart {
  #canvas;
  #context;
  #width = 0;
  #height = 0;

  constructor(canvas, redraw) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    new ResizeObserver(() => {
      this.#fit();
      redraw();
    }).observe(canvas);
  }

  #fit() {
    const scale = window.devicePixelRatio || 1;
    this.#width = this.#canvas.clientWidth;
    this.#height = this.#canvas.clientHeight;
    this.#canvas.width = Math.round(this.#width * scale);
    this.#canvas.height = Math.round(this.#height * scale);
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
  }

  /**
   * `series`: {color, values, dashed}, the values oldest first with the newest at the right edge, null where there is none.
   * `marks`: {index, text} with the index into the values. `floor`: the axis goes up to this at least.
   */
  draw({ series, stacked, marks, floor, colors }) {
    if (this.#width === 0) return;
    const context = this.#context;
    context.clearRect(0, 0, this.#width, this.#height);
    context.font = "11px system-ui, sans-serif";
    const bands = stacked ? stack(series) : series.map((s) => ({ ...s, low: null, high: s.values }));
    const top = Math.max(floor, ...bands.flatMap((band) => band.high.filter((v) => v !== null)));
    const step = tickStep(top, 3);
    const max = Math.ceil(top / step - 1e-9) * step;
    this.#axes(max, step, colors);
    const y = (value) => kTop + (this.#height - kTop - kBottom) * (1 - value / max);
    for (const band of bands) {
      if (stacked) this.#area(band, y);
      this.#line(band, y);
    }
    this.#marks(marks, series[0]?.values.length ?? 0, colors);
  }

  #x(index, length) {
    const room = this.#width - kLeft - kRight;
    return this.#width - kRight - ((length - 1 - index) * room) / (kBuckets - 1);
  }

  #axes(max, step, colors) {
    const context = this.#context;
    const bottom = this.#height - kBottom;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (let value = 0; value <= max + step / 2; value += step) {
      const y = Math.round(kTop + (bottom - kTop) * (1 - value / max)) + 0.5;
      context.strokeStyle = value === 0 ? colors.axis : colors.grid;
      context.beginPath();
      context.moveTo(kLeft, y);
      context.lineTo(this.#width - kRight, y);
      context.stroke();
      context.fillStyle = colors.text;
      context.fillText(formatTick(value), kLeft - 8, y);
    }
    context.textBaseline = "alphabetic";
    for (let ago = kSeconds; ago >= 0; ago -= this.#width < 320 ? 30 : 15) {
      context.textAlign = ago === kSeconds ? "left" : ago === 0 ? "right" : "center";
      const x = this.#width - kRight - ((this.#width - kLeft - kRight) * ago) / kSeconds;
      context.fillText(ago === 0 ? "now" : `−${ago} s`, x, this.#height - 4);
    }
  }

  #path(values, y, backwards = false) {
    const order = backwards ? [...values.keys()].reverse() : values.keys();
    let drawing = backwards;
    for (const i of order) {
      if (values[i] === null) {
        drawing = false;
        continue;
      }
      const x = this.#x(i, values.length);
      if (drawing) this.#context.lineTo(x, y(values[i]));
      else this.#context.moveTo(x, y(values[i]));
      drawing = true;
    }
  }

  #area({ low, high, color }, y) {
    const context = this.#context;
    context.beginPath();
    this.#path(high, y);
    this.#path(low, y, true);
    context.closePath();
    context.globalAlpha = 0.35;
    context.fillStyle = color;
    context.fill();
    context.globalAlpha = 1;
  }

  #line({ high, color, dashed }, y) {
    const context = this.#context;
    context.beginPath();
    this.#path(high, y);
    context.setLineDash(dashed ? [4, 3] : []);
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.stroke();
    context.setLineDash([]);
    // A value with none beside it would be a line of no length.
    context.fillStyle = color;
    high.forEach((value, i) => {
      if (value === null || (high[i - 1] ?? null) !== null || (high[i + 1] ?? null) !== null) return;
      context.beginPath();
      context.arc(this.#x(i, high.length), y(value), 2, 0, 2 * Math.PI);
      context.fill();
    });
  }

  #marks(marks, length, colors) {
    const context = this.#context;
    let free = -Infinity; // up to where the text of the mark before reaches
    for (const { index, text } of marks) {
      const x = Math.round(this.#x(index, length)) + 0.5;
      context.strokeStyle = colors.mark;
      context.setLineDash([2, 3]);
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x, kTop - 2);
      context.lineTo(x, this.#height - kBottom);
      context.stroke();
      context.setLineDash([]);
      const width = context.measureText(text).width;
      const left = Math.min(Math.max(x - width / 2, kLeft), this.#width - kRight - width);
      if (left < free + 6) continue;
      free = left + width;
      context.textAlign = "left";
      context.fillStyle = colors.mark;
      context.fillText(text, left, kTop - 4);
    }
  }
}

function stack(series) {
  let low = series.length > 0 ? series[0].values.map(() => 0) : [];
  return series.map((one) => {
    const high = one.values.map((value, i) => low[i] + value);
    const band = { ...one, low, high };
    low = high;
    return band;
  });
}

// The last minute of traffic: for each level what was offered, dispatched and shed in a second, on a scale where
// 40 and 10,000 can be seen together.

import { t } from './language.js';

const SPAN_MS = 60_000;
const RATE_MS = 1_000;
const SERIES = ['offered', 'dispatched', 'shed'];

export class Chart {
  #canvas; #levels; #samples = []; #tones = {}; #size = { width: 0, height: 0 };

  /** `levels` is a list of `{ key, name }`; the colours are those of the style sheet. */
  constructor(canvas, levels) {
    this.#canvas = canvas;
    this.#levels = levels;
    this.recolour();
    new ResizeObserver(() => {
      // Asked for once: whoever asks while the page has changed lays all of it out.
      this.#size = { width: canvas.clientWidth, height: canvas.clientHeight };
      this.draw();
    }).observe(canvas);
  }

  /** Takes the colours of the style sheet anew. */
  recolour() {
    for (const tone of [...this.#levels.map(({ key }) => key), 'bad', 'soft', 'ink', 'tile']) {
      // A colour may depend on the theme: the browser says what it comes to here.
      this.#canvas.style.color = `var(--${tone})`;
      this.#tones[tone] = getComputedStyle(this.#canvas).color;
    }
    this.#canvas.style.color = '';
    this.draw();
  }

  clear() {
    this.#samples = [];
  }

  /** Adds the counters of now: `{ level: { offered, dispatched, shed } }`, all of them sums since the start. */
  add(atMs, counters) {
    const samples = this.#samples;
    const last = samples.at(-1);
    if (last && atMs <= last.atMs) this.clear();
    let before = samples.findLast((sample) => sample.atMs <= atMs - RATE_MS) ?? samples[0];
    const rates = {};
    for (const { key } of this.#levels) {
      rates[key] = {};
      for (const series of SERIES) {
        const since = before ? (atMs - before.atMs) / 1_000 : 0;
        rates[key][series] = since > 0 ? Math.max(0, counters[key][series] - before.counters[key][series]) / since : 0;
      }
    }
    this.#samples.push({ atMs, counters, rates });
    while (this.#samples[0].atMs < atMs - SPAN_MS - RATE_MS) this.#samples.shift();
    if (!document.hidden) this.draw();
  }

  draw() {
    const ratio = Math.max(1, window.devicePixelRatio || 1);
    const { width, height } = this.#size;
    if (width === 0 || height === 0) return;
    const [pixelsWide, pixelsHigh] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.#canvas.width !== pixelsWide || this.#canvas.height !== pixelsHigh) {
      this.#canvas.width = pixelsWide;
      this.#canvas.height = pixelsHigh;
    }
    const context = this.#canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    // A level that nobody has used needs no room.
    const last = this.#samples.at(-1);
    const levels = this.#levels.filter(({ key }, index) => index < 3 || last?.counters[key].offered > 0);
    const row = height / levels.length;
    levels.forEach((level, index) => this.#row(context, level, { top: index * row, width, height: row - 5 }));
  }

  #row(context, { key, name }, { top, width, height }) {
    const now = this.#samples.at(-1)?.atMs ?? 0;
    const most = Math.max(10, ...this.#samples.map(({ rates }) => Math.max(rates[key].offered, rates[key].dispatched)));
    const scale = Math.log1p(most);
    const bottom = top + height;
    const x = (atMs) => width - ((now - atMs) / SPAN_MS) * width;
    const y = (rate) => bottom - 1 - (Math.log1p(rate) / scale) * (height - 15);

    context.fillStyle = this.#tones.tile;
    context.beginPath();
    context.roundRect(0, top, width, height, 6);
    context.fill();
    context.save();
    context.clip();
    this.#line(context, 'dispatched', key, x, y, bottom, this.#tones[key]);
    this.#line(context, 'offered', key, x, y, null, this.#tones.ink);
    this.#line(context, 'shed', key, x, y, null, this.#tones.bad);
    context.restore();

    const rates = this.#samples.at(-1)?.rates[key] ?? { offered: 0, dispatched: 0, shed: 0 };
    context.font = '600 10.5px system-ui, sans-serif';
    context.textBaseline = 'top';
    context.textAlign = 'left';
    context.fillStyle = this.#tones[key];
    context.fillText(name, 7, top + 4);
    context.textAlign = 'right';
    let right = width - 7;
    const write = (text, tone) => {
      context.fillStyle = tone;
      context.fillText(text, right, top + 4);
      right -= context.measureText(text).width + 8;
    };
    if (rates.shed >= 0.5) write(t('{count} shed', { count: short(rates.shed) }), this.#tones.bad);
    write(`${short(rates.offered)} → ${short(rates.dispatched)}`, this.#tones.soft);
  }

  #line(context, series, key, x, y, floor, tone) {
    const samples = this.#samples;
    if (samples.length < 2) return;
    context.beginPath();
    for (const { atMs, rates } of samples) context.lineTo(x(atMs), y(rates[key][series]));
    context.lineWidth = 1.4;
    context.lineJoin = 'round';
    context.strokeStyle = tone;
    if (series !== 'shed' || samples.some(({ rates }) => rates[key].shed > 0)) context.stroke();
    if (floor === null) return;
    context.lineTo(x(samples.at(-1).atMs), floor);
    context.lineTo(x(samples[0].atMs), floor);
    context.globalAlpha = 0.28;
    context.fillStyle = tone;
    context.fill();
    context.globalAlpha = 1;
  }
}

/** A number in at most four characters or so: 7.6, 40, 10.0k, 1.25M. */
export function short(number) {
  if (number >= 1e9) return `${(number / 1e9).toFixed(2)}G`;
  if (number >= 1e6) return `${(number / 1e6).toFixed(number < 1e7 ? 2 : 1)}M`;
  if (number >= 1e5) return `${Math.round(number / 1e3)}k`;
  if (number >= 1e4) return `${(number / 1e3).toFixed(1)}k`;
  if (number >= 10 || Number.isInteger(number)) return Math.round(number).toLocaleString('en');
  return number.toFixed(1);
}

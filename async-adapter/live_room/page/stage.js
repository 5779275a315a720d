// The stage: messages fly over it in lanes, and never over one another.

import { t } from './language.js';

const LANE_PX = 29;
const GAP_PX = 22;
const CALM_SECONDS = 9.5;
const FASTEST = 3.8;
/** Where motion is to be reduced, a message stands so long in its lane instead. */
const STILL_MS = 4_000;
const STILL_LEFT_PX = 16;
const still = matchMedia('(prefers-reduced-motion: reduce)');
const MOST_FLYING = 240;
const MOST_WAITING = 24;
/** What finds no lane in so long is shown no more: the chat is live. */
const FRESH_MS = 250;
const PLACE_MS = 50;
/** So many start together at the most: a burst is spread out, or it would cross the stage as one wall. */
const MOST_AT_ONCE = 3;
/** Of so many messages one each has one of the tints of the style sheet; the others are white. */
const TINTS = 9;
/** As in the style sheet. */
const NICK_MARGIN_PX = 7;
const KIND_PADDING_PX = 24;

export class Stage {
  #root; #unseenLabel; #width = 0; #lanes = []; #pool = []; #flying = 0; #waiting = [];
  #recent = 0; #unseen = 0; #placed = 0; #ruler = null;

  constructor(root, unseenLabel) {
    this.#root = root;
    this.#unseenLabel = unseenLabel;
    new ResizeObserver(() => this.#measure()).observe(root);
    this.#measure();
    setInterval(() => this.#place(), PLACE_MS / 2);
    setInterval(() => this.#second(), 1_000);
  }

  /** Lets a message fly: `{ nick, text, kind, who, seq }`, kind being '', 'own' or 'gap', and `who` whoever can be chosen by it. */
  fly(message) {
    this.#recent += 1;
    if (document.hidden) return;
    // The newest first, but for one's own and gaps, which go before all others and wait as long as it takes.
    const first = message.kind ? 0 : this.#waiting.findIndex(({ kind }) => !kind);
    this.#waiting.splice(first < 0 ? this.#waiting.length : first, 0, { ...message, at: performance.now() });
    if (this.#waiting.length > MOST_WAITING) this.#shed(this.#waiting.slice(0, MOST_WAITING));
    this.#place();
  }

  /** What was taken back flies no more. */
  remove(seq) {
    this.#waiting = this.#waiting.filter((message) => message.seq !== seq);
    for (const flight of this.#root.querySelector(`[data-seq="${seq}"]`)?.getAnimations() ?? []) flight.finish();
  }

  /** Keeps these of what waits. What is shed here was delivered: it is only not shown, and that is told. */
  #shed(kept) {
    this.#unseen += this.#waiting.length - kept.length;
    this.#waiting = kept;
  }

  #measure() {
    this.#width = this.#root.clientWidth;
    const count = Math.max(3, Math.floor((this.#root.clientHeight - 30) / LANE_PX));
    while (this.#lanes.length < count) this.#lanes.push(null);
    this.#lanes.length = count;
    this.#ruler = null;
  }

  #second() {
    this.#unseenLabel.hidden = this.#unseen === 0;
    this.#unseenLabel.textContent = t('stage full: {count}/s not shown', { count: this.#unseen });
    this.#unseen = 0;
    this.#recent *= 0.5;
  }

  #place() {
    const now = performance.now();
    if (now - this.#placed < PLACE_MS) return;
    this.#placed = now;
    for (let n = 0; n < MOST_AT_ONCE && this.#waiting.length > 0 && this.#flying < MOST_FLYING; n += 1) {
      if (!this.#launch(this.#waiting[0])) break;
      this.#waiting.shift();
    }
    this.#shed(this.#waiting.filter(({ kind, at }) => kind || now - at < FRESH_MS));
  }

  #launch(message) {
    // Flights and lanes go by the clock of the frames, so that a slow frame delays both.
    const now = document.timeline.currentTime ?? 0;
    const pressure = Math.min(1, this.#recent / 60 + this.#waiting.length / MOST_WAITING);
    const speed = (this.#width / CALM_SECONDS / 1000) * (1 + (FASTEST - 1) * pressure);
    const lane = this.#freeLane(now, speed);
    if (lane < 0) return false;

    const flyer = this.#pool.pop() ?? newFlyer();
    flyer.className = `flyer ${message.kind}`;
    if (message.who) flyer.dataset.nick = message.who;
    else delete flyer.dataset.nick;
    if (message.seq) flyer.dataset.seq = message.seq;
    else delete flyer.dataset.seq;
    flyer.dataset.tint = Math.floor(Math.random() * TINTS);
    const [nick, words] = flyer.children;
    nick.textContent = message.nick;
    nick.hidden = nick.textContent === '';
    words.textContent = message.text;
    this.#root.append(flyer);
    this.#ruler ??= new Ruler(flyer, this.#width);
    const length = this.#ruler.length(nick.textContent, message.text, message.kind);
    const top = 14 + lane * LANE_PX;
    const duration = still.matches ? STILL_MS : (this.#width + length) / speed;
    const [from, to] = still.matches ? [STILL_LEFT_PX, STILL_LEFT_PX] : [this.#width, -length];
    const flight = flyer.animate(
      [{ transform: `translate3d(${from}px, ${top}px, 0)` }, { transform: `translate3d(${to}px, ${top}px, 0)` }],
      { duration, fill: 'both' },
    );
    flight.startTime = now;
    this.#flying += 1;
    flight.onfinish = () => {
      flight.cancel();
      flyer.remove();
      this.#pool.push(flyer);
      this.#flying -= 1;
    };
    this.#lanes[lane] = { tailIn: now + (still.matches ? duration : (length + GAP_PX) / speed), gone: now + duration };
    return true;
  }

  /** A lane whose last message is wholly in, and will have left before a new one at `speed` could catch up with it. */
  #freeLane(now, speed) {
    const crossing = this.#width / speed;
    const free = [];
    this.#lanes.forEach((last, lane) => {
      if (!last || (last.tailIn <= now && last.gone <= now + crossing)) free.push(lane);
    });
    if (free.length === 0) return -1;
    return free[Math.floor(Math.random() * free.length)];
  }
}

/** Tells how wide a flyer will be without laying the page out for each. */
class Ruler {
  #pen = document.createElement('canvas').getContext('2d'); #fonts; #most;

  constructor(flyer, width) {
    const style = getComputedStyle(flyer);
    this.#fonts = [flyer.firstElementChild, flyer].map((element) => getComputedStyle(element).font);
    this.#most = (width * parseFloat(style.maxWidth)) / 100;
  }

  length(nick, text, kind) {
    const [ofNick, ofText] = this.#fonts;
    const wide = (font, words) => {
      this.#pen.font = font;
      return this.#pen.measureText(words).width;
    };
    let length = wide(ofText, text) + 1;
    if (nick) length += wide(ofNick, nick) + NICK_MARGIN_PX;
    if (kind) length += KIND_PADDING_PX;
    return Math.ceil(Math.min(length, this.#most));
  }
}

function newFlyer() {
  const flyer = document.createElement('div');
  const nick = document.createElement('span');
  nick.className = 'nick';
  flyer.append(nick, document.createElement('span'));
  return flyer;
}

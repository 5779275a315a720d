// The bar below the stage: who you are, what you send, and what became of it.

import { t } from './language.js';
import { clock } from './social.js';

const SHOWN = 5;
/** A refusal for less than this needs no time of day. */
const SOON_MS = 2_000;
const HOLD_MS = 320;
const HEART_MS = 75;
const FLUSH_MS = 250;

/** What the engine says where there was no place in time, at once or after all. */
const BUSY = new Set(['congested', 'expired', 'evicted', 'queue_full']);
const busy = (ms = 0) => (ms > 1_000 ? t('busy, again in {seconds} s', { seconds: Math.ceil(ms / 1_000) }) : t('busy, again in a second'));

const OUTCOMES = {
  waiting: () => t('waiting…'),
  dispatched: ({ seq }) => t('sent #{seq}', { seq: seq.toLocaleString('en') }),
  dropped: ({ reason, code }) => (BUSY.has(code) ? busy() : t('dropped: {reason}', { reason: t(reason) })),
  refused: ({ reason, code, retry_ms: ms }) => {
    if (BUSY.has(code)) return busy(ms);
    if (ms > SOON_MS) return t('refused: {reason} until {time}', { reason: t(reason), time: clock(ms) });
    return t('refused: {reason}', { reason: t(reason) });
  },
  merged: () => t('merged into others'),
  counted: () => t('let in, counted'),
  done: () => t('done'),
  unknown: () => t('connection lost'),
};

export class Composer {
  #elements; #send; #onHeart; #nextId = 1; #sent = new Map(); #named = false; #muted = false; #limits = {};
  #likes = 0; #holding = 0; #held = false; #likeRow = null;

  /** `send(request)` says whether it went out; `onHeart()` shows a like at once. */
  constructor(elements, { send, onHeart }) {
    this.#elements = elements;
    this.#send = send;
    this.#onHeart = onHeart;
    elements.say.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#say();
    });
    this.#bindLike(elements.like);
    setInterval(() => this.#flushLikes(), FLUSH_MS);
  }

  /** Greeted by the server: as `nick`, or as a guest if it is null. */
  greet({ nick, gifts, max_text, max_likes }) {
    const { text, who, notice, gifts: buttons } = this.#elements;
    this.#named = nick !== null;
    this.#limits = { likes: max_likes };
    text.maxLength = max_text;
    who.firstElementChild.textContent = nick ?? t('guest');
    who.toggleAttribute('data-named', this.#named);
    notice.hidden = this.#named;
    buttons.replaceChildren(...gifts.map((gift) => this.#giftButton(gift)));
    this.#enable(this.#named);
  }

  /** The connection broke: nothing can be sent, and nobody will tell what became of what was. */
  offline() {
    this.#enable(false);
    for (const [id, row] of this.#sent) this.#settle(id, row, { state: 'unknown' });
  }

  /** What became of a request; returns what was sent, if it is still known. */
  outcome(outcome) {
    const row = this.#sent.get(outcome.id);
    if (row) this.#settle(outcome.id, row, outcome);
    return row?.request;
  }

  /** Whether the room is muted, for whoever that concerns. */
  setMuted(muted) {
    this.#muted = muted;
    this.#place();
  }

  #place() {
    const spoken = this.#muted ? t('The room is muted') : t('Say something to the room');
    this.#elements.text.placeholder = this.#named ? spoken : t('Join by name to speak');
  }

  #enable(can) {
    const { text, send, like, gifts } = this.#elements;
    this.#place();
    for (const control of [text, send, like, ...gifts.children]) control.disabled = !can;
  }

  #say() {
    const text = this.#elements.text.value.trim();
    if (text === '') return;
    if (this.post({ type: 'say', text }, text)) this.#elements.text.value = '';
  }

  #giftButton({ name, glyph, price }) {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset.gift = name;
    button.title = t('Send {name} ({price} coins)', { name: t(name), price });
    button.setAttribute('aria-label', button.title);
    const shown = document.createElement('span');
    shown.className = 'glyph';
    shown.textContent = glyph;
    const cost = document.createElement('small');
    cost.textContent = price;
    button.append(shown, cost);
    button.addEventListener('click', () => this.post({ type: 'gift', name, count: 1 }, `${glyph} ${t(name)}`));
    return button;
  }

  #bindLike(like) {
    const stop = () => {
      clearTimeout(this.#holding);
      clearInterval(this.#holding);
    };
    like.addEventListener('click', () => {
      if (!this.#held) this.#like();
      this.#held = false;
    });
    like.addEventListener('pointerdown', () => {
      this.#held = false;
      stop();
      this.#holding = setTimeout(() => {
        this.#held = true;
        this.#holding = setInterval(() => this.#like(), HEART_MS);
      }, HOLD_MS);
    });
    for (const end of ['pointerup', 'pointerleave', 'pointercancel', 'blur']) like.addEventListener(end, stop);
  }

  #like() {
    if (this.#elements.like.disabled) return;
    this.#likes += 1;
    this.#onHeart();
  }

  /** Likes go out together, a few times a second: a held button is no reason for a flood of frames. */
  #flushLikes() {
    if (this.#likes === 0) return;
    const count = Math.min(this.#likes, this.#limits.likes);
    this.#likes -= count;
    this.post({ type: 'like', count }, `♥ ×${count}`);
  }

  /** Sends a request under a number of its own, and shows what becomes of it; answers whether it went out. */
  post(request, shown) {
    const id = this.#nextId;
    this.#nextId += 1;
    const row = this.#row(request, shown);
    this.#sent.set(id, row);
    const sent = this.#send({ ...request, id });
    if (!sent) this.#settle(id, row, { state: 'unknown' });
    return sent;
  }

  #row(request, shown) {
    const { mine } = this.#elements;
    // Likes that follow one another share a row.
    const last = this.#likeRow;
    if (request.type === 'like' && last && mine.lastElementChild === last.item) {
      last.count += request.count;
      last.text.textContent = `♥ ×${last.count}`;
      return { ...last, request };
    }
    const item = document.createElement('li');
    const text = document.createElement('span');
    text.className = 'sent-text';
    text.textContent = shown;
    const outcome = document.createElement('span');
    outcome.className = 'outcome';
    item.append(text, outcome);
    mine.append(item);
    while (mine.childElementCount > SHOWN) mine.firstElementChild.remove();
    const row = { item, text, outcome, request, count: request.count ?? 0 };
    show(outcome, { state: 'waiting' });
    this.#likeRow = request.type === 'like' ? row : null;
    return row;
  }

  #settle(id, row, outcome) {
    this.#sent.delete(id);
    show(row.outcome, outcome);
  }
}

function show(element, outcome) {
  element.dataset.state = outcome.state;
  element.textContent = (OUTCOMES[outcome.state] ?? (() => outcome.state))(outcome);
  element.title = outcome.reason ?? element.textContent;
}

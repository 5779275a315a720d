// The transcript beside the stage: who said what, to be read at one's own pace, and now and then aloud.

import { t } from './language.js';

const SHOWN = 150;
/** Rows come together: each change costs a layout. */
const FLUSH_MS = 400;
/** A screen reader is told no more often than this; how much there was between is said in a number. */
const ALOUD_MS = 6_000;
/** So near to its end, the list follows what is new. */
const NEAR_PX = 40;

export class Transcript {
  #list; #aloud; #new = []; #unsaid = 0; #last = '';

  /** Rows go to `list`; `aloud` is the live region. */
  constructor(list, aloud) {
    this.#list = list;
    this.#aloud = aloud;
    setInterval(() => this.#flush(), FLUSH_MS);
    setInterval(() => this.#say(), ALOUD_MS);
  }

  /** Adds what someone said under this number, or what there is to say of the room if `nick` is empty. */
  add({ nick, text, seq }) {
    this.#new.push({ nick, text, seq });
    if (this.#new.length > SHOWN) this.#new.shift();
    this.#unsaid += 1;
    this.#last = nick ? `${nick}: ${text}` : text;
  }

  /** What was taken back is there no more. */
  remove(seq) {
    this.#new = this.#new.filter((said) => said.seq !== seq);
    this.#list.querySelector(`[data-seq="${seq}"]`)?.remove();
  }

  #flush() {
    if (this.#new.length === 0 || document.hidden) return;
    const list = this.#list;
    const follows = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_PX;
    list.append(...this.#new.map(row));
    this.#new = [];
    // Whoever reads further up keeps the place, as long as it is there.
    while (list.childElementCount > SHOWN) list.firstElementChild.remove();
    if (follows) list.scrollTop = list.scrollHeight;
  }

  #say() {
    if (this.#unsaid === 0) return;
    const more = this.#unsaid - 1;
    this.#aloud.textContent = more > 0 ? t('{last} (and {more} more)', { last: this.#last, more }) : this.#last;
    this.#unsaid = 0;
  }
}

function row({ nick, text, seq }) {
  const row = document.createElement('li');
  if (seq) row.dataset.seq = seq;
  if (nick) {
    const name = document.createElement('b');
    name.className = 'nick';
    name.dataset.nick = nick;
    name.textContent = nick;
    row.append(name, ' ');
  } else row.className = 'gap';
  row.append(text);
  return row;
}

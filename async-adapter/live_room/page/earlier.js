// What went out before one came, or while one was away: a list of its own that says so, and goes when it has been read.

import { t } from './language.js';

const SHOWN = 6;
const READ_MS = 15_000;

const WORDS = {
  text: ({ text }) => text,
  notice: ({ text }) => t('notice: {text}', { text }),
  superchat: ({ text }) => `💬 ${text}`,
  guard: () => `🛡️ ${t('joins the guard')}`,
  gift: ({ name, count }, gifts) => `${gifts.get(name) ?? '🎁'} ${t('sends {name}', { name: t(name) })} ×${count}`,
};

export class Earlier {
  #root; #title; #count; #list; #gifts = new Map(); #items = []; #timer = 0;

  /** Shows things in the element `root`. */
  constructor(root) {
    this.#root = root;
    this.#title = root.querySelector('.title');
    this.#count = root.querySelector('.count');
    this.#list = root.querySelector('ol');
  }

  /** Greeted by the server: what follows begins anew. */
  greet({ resumed, gifts }) {
    this.#gifts = new Map(gifts.map(({ name, glyph }) => [name, glyph]));
    this.#title.textContent = resumed ? t('while you were away') : t('earlier');
    this.#items = [];
    this.#hide();
  }

  /** Adds messages that are history; those that are nothing to read are left out. */
  add(items) {
    const news = items.filter(({ what }) => WORDS[what]);
    if (news.length === 0) return;
    this.#items = [...this.#items, ...news].sort((a, b) => a.seq - b.seq);
    const last = this.#items.slice(-SHOWN);
    this.#count.textContent = last.length < this.#items.length ? t('the last {shown} of {all}', { shown: last.length, all: this.#items.length }) : '';
    this.#list.replaceChildren(...last.map((item) => line(item, this.#gifts)));
    this.#root.hidden = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#hide(), READ_MS);
  }

  /** What was taken back is there no more. */
  remove(seq) {
    this.#items = this.#items.filter((item) => item.seq !== seq);
    this.#list.querySelector(`[data-seq="${seq}"]`)?.remove();
  }

  #hide() {
    clearTimeout(this.#timer);
    this.#root.hidden = true;
  }
}

function line(item, gifts) {
  const line = document.createElement('li');
  line.dataset.seq = item.seq;
  const nick = document.createElement('span');
  nick.className = 'nick';
  nick.textContent = item.nick;
  const words = document.createElement('span');
  words.textContent = WORDS[item.what](item, gifts);
  line.append(nick, words);
  return line;
}

// What is pinned above the chat: whoever comes gets it first, and those who moderate may unpin it.

import { t } from './language.js';

export class Pins {
  #list; #onUnpin;

  /** Shows things in the list `list`; `onUnpin(pin, text)` is told when one is to go. */
  constructor(list, { onUnpin }) {
    this.#list = list;
    this.#onUnpin = onUnpin;
    this.greet();
  }

  /** Greeted by the server: what is pinned follows. */
  greet() {
    this.#list.replaceChildren();
    this.#list.hidden = true;
  }

  /** Words were pinned under a number, or those under it are others now. */
  add({ pin, text, nick }) {
    const line = document.createElement('li');
    line.dataset.pin = pin;
    const words = document.createElement('span');
    words.className = 'pin-text';
    words.textContent = text;
    words.title = text;
    const by = document.createElement('small');
    by.textContent = t('by {name}', { name: nick });
    const unpin = document.createElement('button');
    unpin.type = 'button';
    unpin.className = 'unpin';
    unpin.textContent = '✕';
    unpin.setAttribute('aria-label', t('Unpin: {text}', { text }));
    unpin.addEventListener('click', () => this.#onUnpin(pin, text));
    line.append(words, by, unpin);
    const old = this.#find(pin);
    if (old) old.replaceWith(line);
    else this.#list.append(line);
    this.#list.hidden = false;
  }

  /** Nothing is pinned but what has these numbers. */
  keep(pins) {
    for (const line of [...this.#list.children]) if (!pins.includes(Number(line.dataset.pin))) line.remove();
    this.#list.hidden = this.#list.childElementCount === 0;
  }

  #find(pin) {
    return this.#list.querySelector(`[data-pin="${pin}"]`);
  }
}

// What stands out from the chat: gifts and paid messages on cards, likes as hearts, the dearest gifts across the stage.

import { t } from './language.js';

const MOST_CARDS = 4;
const MOST_HEARTS = 36;
const CARD_MS = 5_200;
const GRAND_PRICE = 200;
const HEARTS = ['♥', '💗', '💜', '🧡', '♥', '💖'];
const still = matchMedia('(prefers-reduced-motion: reduce)');

export class Cards {
  #list; #finale; #height = 0; #gifts = new Map(); #shown = new Map();

  constructor(list, finale) {
    this.#list = list;
    this.#finale = finale;
    new ResizeObserver(() => { this.#height = finale.clientHeight; }).observe(finale);
  }

  /** The kinds of gift that the server sells. */
  setGifts(gifts) {
    this.#gifts = new Map(gifts.map((gift) => [gift.name, gift]));
  }

  gift({ nick, name, count, seq }) {
    const kind = this.#gifts.get(name);
    const grand = (kind?.price ?? 0) >= GRAND_PRICE;
    const card = this.#card(`gift ${nick} ${name}`, 'gift-card', {
      glyph: kind?.glyph ?? '🎁', nick, what: t('sends {name}', { name: t(name) }), count, seq,
    });
    card.dataset.gift = name;
    card.toggleAttribute('data-grand', grand);
    if (grand) this.#cross(kind.glyph);
  }

  superchat({ nick, text, price, seq }) {
    this.#card(`superchat ${nick} ${text}`, 'superchat-card', { glyph: '💬', nick, what: text, tag: price > 0 ? String(price) : '', seq });
  }

  guard({ nick, seq }) {
    this.#card(`guard ${nick}`, 'guard-card', { glyph: '🛡️', nick, what: t('joins the guard'), tag: '', seq });
  }

  /** What was taken back is on no card any more. */
  remove(seq) {
    for (const [key, { card }] of [...this.#shown]) if (card.dataset.seq === String(seq)) this.#remove(key);
  }

  /** Shows a card; the same again while it is there counts up on it. */
  #card(key, className, { glyph, nick, what, count = 0, tag, seq }) {
    let shown = this.#shown.get(key);
    if (shown) {
      shown.count += count;
    } else {
      while (this.#shown.size >= MOST_CARDS) this.#remove(this.#shown.keys().next().value);
      const card = document.createElement('li');
      card.className = className;
      card.append(...['card-glyph', 'card-nick', 'card-what', 'card-count'].map(span));
      shown = { card, count, timer: 0 };
      this.#shown.set(key, shown);
      this.#list.append(card);
    }
    shown.card.dataset.nick = nick;
    shown.card.dataset.seq = seq;
    const [glyphAt, nickAt, whatAt, countAt] = shown.card.children;
    glyphAt.textContent = glyph;
    nickAt.textContent = nick;
    whatAt.textContent = what;
    countAt.textContent = tag ?? `×${shown.count}`;
    countAt.classList.remove('bump');
    requestAnimationFrame(() => countAt.classList.add('bump'));
    clearTimeout(shown.timer);
    shown.timer = setTimeout(() => this.#remove(key), CARD_MS);
    return shown.card;
  }

  #remove(key) {
    const { card, timer } = this.#shown.get(key);
    clearTimeout(timer);
    this.#shown.delete(key);
    card.classList.add('leaving');
    setTimeout(() => card.remove(), 420);
  }

  #cross(glyph) {
    if (document.hidden || still.matches || this.#finale.childElementCount > 2) return;
    const flight = span('finale');
    flight.textContent = glyph;
    this.#finale.append(flight);
    const height = this.#height + 300;
    flight.animate(
      [
        { transform: 'translate(-50%, 0) scale(.6)', opacity: 0 },
        { transform: `translate(-50%, ${-height * 0.45}px) scale(1.15)`, opacity: 1, offset: 0.45 },
        { transform: `translate(-50%, ${-height}px) scale(1)`, opacity: 0 },
      ],
      { duration: 2_400, easing: 'cubic-bezier(.4, 0, .5, 1)' },
    ).onfinish = () => flight.remove();
  }
}

export class Hearts {
  #root; #height = 0; #flying = 0;

  constructor(root) {
    this.#root = root;
    new ResizeObserver(() => { this.#height = root.clientHeight; }).observe(root);
  }

  /** Lets hearts rise for `count` likes: a few stand for many. */
  rise(count) {
    if (document.hidden || still.matches) return;
    const hearts = Math.min(count, 3, MOST_HEARTS - this.#flying);
    for (let i = 0; i < hearts; i += 1) this.#heart(i * 90);
  }

  #heart(delay) {
    const heart = span('heart');
    heart.textContent = HEARTS[Math.floor(Math.random() * HEARTS.length)];
    heart.style.color = `hsl(${330 + Math.random() * 40} 95% 68%)`;
    this.#root.append(heart);
    this.#flying += 1;
    const height = this.#height * (0.45 + Math.random() * 0.3);
    const sway = () => (Math.random() - 0.5) * 90 - 14;
    heart.animate(
      [
        { transform: 'translate3d(0, 0, 0) scale(.4)', opacity: 0 },
        { transform: `translate3d(${sway() / 2}px, ${-height * 0.3}px, 0) scale(1.1)`, opacity: 0.95, offset: 0.25 },
        { transform: `translate3d(${sway()}px, ${-height}px, 0) scale(.9)`, opacity: 0 },
      ],
      { duration: 2_600 + Math.random() * 1_200, delay, fill: 'both' },
    ).onfinish = () => {
      heart.remove();
      this.#flying -= 1;
    };
  }
}

function span(className) {
  const element = document.createElement('span');
  element.className = className;
  return element;
}

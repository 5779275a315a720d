// What goes on around the chat: who is here and how often the room was liked, what happened, the host's notices, and one's own mute.

import { speakers } from './host.js';
import { language, t } from './language.js';

const TIP_MS = 7_000;
const MOST_TIPS = 3;
const BANNER_MS = 30_000;

const full = (number) => number.toLocaleString('en');

/** A time of day: so far in the future. */
export function clock(ms) {
  return new Date(Date.now() + ms).toLocaleTimeString(language === 'ja' ? 'ja' : 'en-GB');
}

const TIPS = {
  joined: ({ count, first }) => {
    if (!first) return t('{count} joined', { count: full(count) });
    if (count === 1) return t('{name} joined', { name: first });
    return t('{name} and {count} more joined', { name: first, count: full(count - 1) });
  },
  muted: ({ name, seconds }) => t('{name} was muted {lasting}', { name, lasting: lasting(seconds) }),
  unmuted: ({ name }) => t('{name} may speak again', { name }),
  kicked: ({ name }) => t('{name} was kicked', { name }),
  banned: ({ name, seconds }) => t('{name} was banned {lasting}', { name, lasting: lasting(seconds) }),
  unbanned: ({ name }) => t('{name} may come again', { name }),
  'admin-set': ({ name }) => t('{name} is an admin now', { name }),
  'admin-removed': ({ name }) => t('{name} is no longer an admin', { name }),
  'room-muted': () => t('the room was muted'),
  'room-unmuted': () => t('everyone may speak again'),
  marked: ({ name }) => t('{name} is a marked speaker now', { name }),
  unmarked: ({ name }) => t('{name} is no longer a marked speaker', { name }),
  'speak-mode': (mode) => t('may speak now: {who}', { who: speaking(mode) }),
};

/** Who may speak, and whether once only; nothing for everyone, who may repeat what others say. */
function speaking(mode) {
  return mode.unique ? t('{who}, no repeats', { who: speakers(mode) }) : speakers(mode);
}

export class Social {
  #find; #nick = null; #likes = -1; #banner = 0; #sanction = 0;

  /** Shows things in these elements; `onRole(role)` is told when one's own role changes. */
  constructor(root, { onRole }) {
    this.#find = (id) => root.querySelector(`#${id}`);
    this.onRole = onRole;
    this.#find('banner-close').addEventListener('click', () => { this.#find('banner').hidden = true; });
  }

  greet({ nick, likes = 0 }) {
    this.#nick = nick;
    this.#likes = -1;
    this.total({ likes });
    this.#setSanction('');
  }

  stats({ audience, users, speak }) {
    const isOpen = speak.who === 'everyone' && !speak.unique;
    const rule = isOpen ? '' : t('may speak: {who}', { who: speaking(speak) });
    const shown = this.#find('speak-mode');
    if (shown.textContent !== rule) shown.textContent = rule;
    shown.hidden = isOpen;
    const words = t('{watching} watching · {online} online', { watching: full(audience), online: full(users) });
    if (this.#find('online').textContent !== words) this.#find('online').textContent = words;
  }

  /** How often the room was liked; an older number may come late. */
  total({ likes }) {
    if (likes <= this.#likes) return;
    this.#likes = likes;
    this.#find('like-total').textContent = `♥ ${full(likes)}`;
  }

  notice({ nick, text }) {
    this.#find('banner-text').textContent = text;
    this.#find('banner-from').textContent = nick;
    this.#find('banner').hidden = false;
    clearTimeout(this.#banner);
    this.#banner = setTimeout(() => { this.#find('banner').hidden = true; }, BANNER_MS);
  }

  tip(tip) {
    const words = TIPS[tip.tip]?.(tip);
    if (!words) return;
    const line = document.createElement('li');
    line.textContent = words;
    line.dataset.tip = tip.tip;
    if (tip.nick) {
      // Who did it is part of the tip, and not only for whoever points at it.
      const by = document.createElement('small');
      by.textContent = ` ${t('by {name}', { name: tip.nick })}`;
      line.append(by);
    }
    const tips = this.#find('tips');
    tips.append(line);
    while (tips.childElementCount > MOST_TIPS) tips.firstElementChild.remove();
    setTimeout(() => line.remove(), TIP_MS);
    if (this.#nick !== null && tip.name === this.#nick) this.#aboutMe(tip);
  }

  /** What became of one's own message may be that one is muted. */
  outcome({ state, code, reason, retry_ms: ms }) {
    if (state !== 'refused') return;
    if (code === 'muted') this.#silence(ms);
    if (code === 'room_muted') {
      this.#setSanction(t(reason));
      this.#find('sanction').dataset.of = 'room';
    }
  }

  /** The room is muted, or not any more. */
  roomMuted(muted) {
    if (!muted && this.#find('sanction').dataset.of === 'room') this.#setSanction('');
  }

  #aboutMe({ tip, seconds }) {
    if (tip === 'muted') this.#silence(seconds && seconds * 1_000);
    if (tip === 'unmuted') this.#setSanction('');
    if (tip === 'admin-set') this.onRole('admin');
    if (tip === 'admin-removed') this.onRole('member');
  }

  #silence(ms) {
    this.#setSanction(ms ? t('you are muted until {time}', { time: clock(ms) }) : t('you are muted for good'), ms);
  }

  #setSanction(text, ms) {
    const sanction = this.#find('sanction');
    sanction.textContent = text;
    sanction.dataset.of = 'me';
    sanction.hidden = text === '';
    clearTimeout(this.#sanction);
    if (ms) this.#sanction = setTimeout(() => this.#setSanction(''), ms);
  }
}

function lasting(seconds) {
  if (!seconds) return t('for good');
  if (seconds === 60) return t('for a minute');
  return seconds % 60 === 0 ? t('for {minutes} minutes', { minutes: seconds / 60 }) : t('for {seconds} s', { seconds });
}

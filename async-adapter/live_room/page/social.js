// What goes on around the chat: who is here and how often the room was liked, what happened, the host's notices, and one's own mute.

const TIP_MS = 7_000;
const MOST_TIPS = 3;
const BANNER_MS = 30_000;

const full = (number) => number.toLocaleString('en');

/** A time of day: so far in the future. */
export function clock(ms) {
  return new Date(Date.now() + ms).toLocaleTimeString('en-GB');
}

const TIPS = {
  joined: ({ count, first }) => {
    if (!first) return `${full(count)} joined`;
    if (count === 1) return `${first} joined`;
    return `${first} and ${full(count - 1)} more joined`;
  },
  muted: ({ name, seconds }) => `${name} was muted${lasting(seconds)}`,
  unmuted: ({ name }) => `${name} may speak again`,
  kicked: ({ name }) => `${name} was kicked`,
  banned: ({ name, seconds }) => `${name} was banned${lasting(seconds)}`,
  unbanned: ({ name }) => `${name} may come again`,
  'admin-set': ({ name }) => `${name} is an admin now`,
  'admin-removed': ({ name }) => `${name} is no admin any more`,
  'room-muted': () => 'the room was muted',
  'room-unmuted': () => 'everyone may speak again',
};

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

  stats({ audience, users }) {
    const words = `${full(audience)} watching · ${full(users)} online`;
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
    if (tip.nick) line.title = `by ${tip.nick}`;
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
    if (code === 'room_muted') this.#setSanction(reason);
  }

  /** The room is muted, or not any more. */
  roomMuted(muted) {
    if (!muted && this.#find('sanction').textContent.includes('the room is muted')) this.#setSanction('');
  }

  #aboutMe({ tip, seconds }) {
    if (tip === 'muted') this.#silence(seconds && seconds * 1_000);
    if (tip === 'unmuted') this.#setSanction('');
    if (tip === 'admin-set') this.onRole('admin');
    if (tip === 'admin-removed') this.onRole('member');
  }

  #silence(ms) {
    this.#setSanction(ms ? `you are muted until ${clock(ms)}` : 'you are muted for good', ms);
  }

  #setSanction(text, ms) {
    const sanction = this.#find('sanction');
    sanction.textContent = text;
    sanction.hidden = text === '';
    clearTimeout(this.#sanction);
    if (ms) this.#sanction = setTimeout(() => this.#setSanction(''), ms);
  }
}

function lasting(seconds) {
  if (!seconds) return ' for good';
  if (seconds === 60) return ' for a minute';
  return seconds % 60 === 0 ? ` for ${seconds / 60} minutes` : ` for ${seconds} s`;
}

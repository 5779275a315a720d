// The connection to the room: opens the WebSocket, and opens it again, with growing pauses, when it breaks.

import { t } from './language.js';

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 8_000;
const KEY = 'roomcast-key';

/** This browser's secret: it keeps others from taking one's name. */
function key() {
  try {
    let known = localStorage.getItem(KEY);
    if (!known) {
      known = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
      localStorage.setItem(KEY, known);
    }
    return known;
  } catch {
    // Without storage a name is anybody's.
    return '';
  }
}

/**
 * `open(query)` makes a socket; `onMessage(message)` is given each parsed reply, and
 * `onState(state, text)` each change: connecting, open, waiting (for the next try), closed (for good).
 */
export class Connection {
  #open; #onMessage; #onState;
  #query = 'guest'; #token = null; #socket = null; #pause = FIRST_PAUSE_MS; #timer = 0;

  constructor({ open, onMessage, onState }) {
    this.#open = open;
    this.#onMessage = onMessage;
    this.#onState = onState;
  }

  /** Enters the room as `nick`, or as a guest if it is null; leaves it first if need be. */
  join(nick) {
    this.#query = nick === null ? 'guest' : `name=${encodeURIComponent(nick)}&key=${key()}`;
    this.#token = null;
    this.#pause = FIRST_PAUSE_MS;
    this.#leave();
    this.#connect();
  }

  /** Sends a request; false if there is no connection to send it by. */
  send(request) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(request));
    return true;
  }

  #leave() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) socket.close(1000);
  }

  #connect() {
    this.#onState('connecting', t('connecting…'));
    // Whoever comes back is told what went out since, as far as the room still has it.
    const socket = this.#open(this.#token === null ? this.#query : `${this.#query}&token=${encodeURIComponent(this.#token)}`);
    this.#socket = socket;
    let farewell = null;
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      const message = JSON.parse(data);
      if (message.type === 'bye') farewell = message;
      if (message.token) this.#token = message.token;
      if (message.type === 'hello') {
        this.#pause = FIRST_PAUSE_MS;
        this.#onState('open', t('connected'));
      }
      this.#onMessage(message);
    };
    socket.onclose = ({ reason }) => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      const why = t(farewell?.reason || reason || t('no connection'));
      if (farewell && !farewell.retry) this.#onState('closed', why);
      else this.#retry(why);
    };
  }

  #retry(why) {
    // Spread out, so that a thousand pages do not come back in the same instant.
    const pause = this.#pause * (0.75 + Math.random() / 2);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    this.#onState('waiting', t('{why} · again in {seconds} s', { why, seconds: Math.max(1, Math.round(pause / 1000)) }));
    this.#timer = setTimeout(() => this.#connect(), pause);
  }
}

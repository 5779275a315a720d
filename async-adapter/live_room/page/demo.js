// A room without a server, for looking at the page: `?demo`. It sheds as the engine does, roughly; its books balance.

const LEVELS = ['high', 'normal', 'low', 'lowest'];
const GIFTS = [
  { name: 'rose', glyph: '🌹', price: 1 }, { name: 'lantern', glyph: '🏮', price: 20 },
  { name: 'fireworks', glyph: '🎆', price: 200 }, { name: 'rocket', glyph: '🚀', price: 1_000 },
];
const WORDS = 'encore! wow so good 🔥 太好听了 again 神回 that bass hello from Lima goosebumps what a show 💖 すごい love this part'.split(' ');
const RATE = 40;
const CAPACITY = 400;
const PATIENCE_MS = { high: 60_000, normal: 3_000, low: 1_000, lowest: 1_000 };
const AUDIENCE = 1_204;

export class DemoSocket {
  readyState = 0;
  #controls = { speed: 10, likes: 10_000, gifts: 40, slow: 5 };
  #queue = byLevel(() => []);
  #ledger = byLevel(() => ({ submitted: 0, refused: {}, dropped: {}, merged: 0, dispatched: 0, queued: 0, under_review: 0 }));
  #deliveries = byLevel(() => ({ due: 0, delivered: 0, skipped: 0, pending: 0, excluded: 0, abandoned: 0 }));
  #tokens = RATE; #seq = 0; #now = 0; #owed = { texts: 0, likes: 0, gifts: 0 }; #timers = []; #batch = []; #muted = false; #speak = { who: 'everyone', unique: false }; #pins = new Map();

  constructor(query) {
    const nick = new URLSearchParams(query).get('name');
    setTimeout(() => {
      this.readyState = 1;
      this.#say({ type: 'hello', nick, room: 'demo', resumed: false, role: nick ? 'owner' : 'guest', likes: 0, recording: 'demo · made-up data', gifts: GIFTS, max_text: 500, max_gifts: 99, max_likes: 100, rate: RATE, queue_capacity: CAPACITY });
      this.nick = nick;
      const earlier = Array.from({ length: 12 }, () => ({ kind: 'message', seq: (this.#seq += 1), level: 'normal', nick: viewer(), history: true, what: 'text', text: phrase() }));
      this.#say({ type: 'batch', items: earlier });
      this.#timers = [setInterval(() => this.#step(50), 50), setInterval(() => this.#stats(), 250)];
    }, 150);
  }

  send(data) {
    const request = JSON.parse(data);
    const { id, text, name, count } = request;
    if (request.type === 'controls') Object.assign(this.#controls, request);
    if (request.type === 'mute-room') this.#muted = request.muted;
    if (request.type === 'speak-mode') this.#speak = request.mode;
    if (request.type === 'pin') {
      this.#pins.set((this.#seq += 1), text);
      this.#batch.push({ kind: 'message', seq: this.#seq, level: 'high', nick: this.nick, what: 'pinned', pin: this.#seq, text });
    }
    if (request.type === 'unpin' && this.#pins.delete(request.pin)) {
      this.#batch.push({ kind: 'message', seq: (this.#seq += 1), level: 'high', nick: '', what: 'pins', pins: [...this.#pins.keys()] });
    }
    if (['mute-room', 'moderate', 'speak-mode', 'pin', 'unpin'].includes(request.type)) this.#outcome(id, { state: 'done' });
    if (request.type === 'notice') this.#send({ level: 'high', what: { what: 'notice', text }, nick: this.nick, id, at: this.#now });
    if (request.type === 'say') this.#offer('normal', { what: 'text', text }, this.nick, id);
    if (request.type === 'gift') this.#offer('high', { what: 'gift', name, count }, this.nick, id);
    if (request.type === 'like') this.#offer('low', { what: 'like', count }, this.nick, id);
  }

  close() {
    this.readyState = 3;
    this.#timers.forEach(clearInterval);
  }

  #say(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  #step(ms) {
    this.#now += ms;
    this.#tokens = Math.min(RATE, this.#tokens + (RATE * ms) / 1000);
    const { speed, likes, gifts } = this.#controls;
    const wave = 1 + 0.6 * Math.sin(this.#now / 9_000) + 0.3 * Math.random();
    for (let n = this.#due('texts', 7.6 * speed * wave, ms); n > 0; n -= 1) this.#offer('normal', { what: 'text', text: phrase() }, viewer());
    for (let n = this.#due('gifts', gifts / 60, ms); n > 0; n -= 1) {
      const { name } = GIFTS[Math.floor(4 * Math.random() ** 2)];
      if (Math.random() < 0.2) this.#offer('high', { what: 'superchat', text: phrase(), price: 30 }, viewer());
      else this.#offer('high', { what: 'gift', name, count: 1 + Math.floor(Math.random() * 5) }, viewer());
    }
    for (let n = this.#due('likes', likes * wave, ms); n > 0; n -= 1) this.#offer('low', { what: 'like', count: 1 }, viewer());
    this.#dispatch();
  }

  #due(what, perSecond, ms) {
    this.#owed[what] += (perSecond * ms) / 1000;
    const whole = Math.floor(this.#owed[what]);
    this.#owed[what] -= whole;
    return whole;
  }

  #offer(level, what, nick, id) {
    const row = this.#ledger[level];
    row.submitted += 1;
    if (LEVELS.reduce((total, key) => total + this.#queue[key].length, 0) >= CAPACITY) {
      const victim = LEVELS.findLast((key) => this.#queue[key].length > 0);
      if (LEVELS.indexOf(victim) <= LEVELS.indexOf(level)) {
        count(row.refused, 'queue full');
        this.#outcome(id, { state: 'refused', reason: 'queue full' });
        return;
      }
      const gone = this.#queue[victim].pop();
      count(this.#ledger[victim].dropped, 'evicted');
      this.#outcome(gone.id, { state: 'dropped', reason: 'evicted' });
    }
    this.#queue[level].push({ level, what, nick, id, at: this.#now });
  }

  #dispatch() {
    for (const level of LEVELS) {
      const queue = this.#queue[level];
      while (queue.length > 0 && queue[0].at + PATIENCE_MS[level] <= this.#now) {
        count(this.#ledger[level].dropped, 'expired');
        this.#outcome(queue.shift().id, { state: 'dropped', reason: 'expired' });
      }
      while (queue.length > 0 && this.#tokens >= 1) this.#send(queue.shift());
    }
    if (this.#batch.length > 0) this.#say({ type: 'batch', items: this.#batch.splice(0) });
  }

  #send({ level, what, nick, id, at }) {
    this.#tokens -= 1;
    this.#seq += 1;
    this.#ledger[level].dispatched += 1;
    const skipped = Math.round((AUDIENCE * this.#controls.slow) / 400);
    const row = this.#deliveries[level];
    row.due += AUDIENCE;
    row.skipped += skipped;
    row.delivered += AUDIENCE - skipped;
    this.#batch.push({ kind: 'message', seq: this.#seq, level, nick, ...what });
    this.#outcome(id, { state: 'dispatched', seq: this.#seq, waited_ms: this.#now - at });
  }

  #outcome(id, fate) {
    if (id !== undefined) this.#say({ type: 'outcome', id, ...fate });
  }

  #stats() {
    for (const level of LEVELS) this.#ledger[level].queued = this.#queue[level].length;
    this.#say({
      type: 'stats', at_ms: this.#now, host: this.nick ?? null, room_muted: this.#muted, speak: this.#speak, audience: AUDIENCE, users: 1_003, visitors: 2, tokens: Math.floor(this.#tokens),
      queue: byLevel((level) => this.#queue[level].length), ledger: this.#ledger, deliveries: this.#deliveries,
      crowd: { progress: (this.#now / 98_000) % 1, controls: this.#controls },
    });
  }
}

function byLevel(make) {
  return Object.fromEntries(LEVELS.map((level) => [level, make(level)]));
}

function count(reasons, reason) {
  reasons[reason] = (reasons[reason] ?? 0) + 1;
}

function viewer() {
  return `viewer ${Math.floor(Math.random() * 6_000)}`;
}

function phrase() {
  const start = Math.floor(Math.random() * WORDS.length);
  return Array.from({ length: 1 + Math.floor(Math.random() * 6) }, (_, i) => WORDS[(start + i) % WORDS.length]).join(' ');
}

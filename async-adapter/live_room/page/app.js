// The live room's page: joins the modules of the page to the connection.
//
// For tests, these stay as they are:
//   #status[data-state=connecting|open|waiting|closed]   the connection
//   #join  #nick  #join-named  #join-guest  #join-error  the way in; #who opens it again
//   #text  #send  [data-gift="rocket"] (in #gifts)  #like  #notice (shown to guests)
//   #mine li  .sent-text  .outcome[data-state=waiting|dispatched|dropped|refused|merged|counted|done|unknown]
//   #earlier li[data-seq]  .divider   what went out before one came
//   .flyer, #transcript-list li and cards have data-seq, until they are taken back
//   #stage  .flyer (.own, .gap)  .gift-card[data-gift]  .superchat-card  .guard-card  .heart  #unseen
//   #audience  #users  #tokens  #queue [data-level] .number  #chart
//   #ledger [data-level] [data-column]  #reasons  #balance[data-balanced=yes|no]
//   #deliveries [data-column]  #delivery-balance[data-balanced]
//   #online  #like-total  #tips li[data-tip]  #banner  #banner-text  #sanction  #door-host   what happens in the room
//   #host  #mute-room  #notice-text  #notice-send  #name-text  #name-open   for the host and the admins
//   #person [data-act]   what can be done to whoever was chosen, by the field or by a click on [data-nick]
//   #pins li[data-pin]  .pin-text  .unpin  #pin-send   what is pinned;  #speak-mode  #speak-who  #speak-unique   who may speak
//   #theme  #language  #transcript-list li  #aloud   light or dark, English or Japanese, what was said
//   #speed  #likes  #gift-rate  #slow  #reset  #steering  #recording  #progress[aria-valuenow]
//
// In the address: ?name=kim or ?guest enters at once; ?demo shows made-up data without a server.

import { Cards, Hearts } from './cards.js';
import { Composer } from './composer.js';
import { Connection } from './connection.js';
import { Earlier } from './earlier.js';
import { Host } from './host.js';
import { switchLanguage, t, translatePage } from './language.js';
import { Panel } from './panel.js';
import { Pins } from './pins.js';
import { Social, clock } from './social.js';
import { Stage } from './stage.js';
import { bindTheme } from './theme.js';
import { Transcript } from './transcript.js';

/** So many numbers of shown messages are remembered, so that one's own is shown once. */
const REMEMBERED = 2_000;
/** What is said about the room, and not in it. */
const SOCIAL = new Set(['tip', 'notice', 'total']);

/** What of it is read in the transcript; likes are not. */
const READ = {
  text: ({ text }) => text,
  notice: ({ text }) => t('notice: {text}', { text }),
  superchat: ({ text }) => `💬 ${text}`,
  guard: () => t('joins the guard'),
  gift: ({ name, count }) => `${t('sends {name}', { name: t(name) })} ×${count}`,
};

const address = new URLSearchParams(location.search);
const find = (id) => document.getElementById(id);
translatePage();
const transcript = new Transcript(find('transcript-list'), find('aloud'));
const stage = new Stage(find('lanes'), find('unseen'));
const cards = new Cards(find('cards'), find('finale'));
const hearts = new Hearts(find('hearts'));
const earlier = new Earlier(find('earlier'));
const shown = new Set();
/** The words of texts that were shown, by number, as long as those are remembered. */
const words = new Map();
let nick = null;
let room = null;

const openSocket = async () => {
  if (address.has('demo')) {
    const { DemoSocket } = await import('./demo.js');
    return (query) => new DemoSocket(query);
  }
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  return (query) => new WebSocket(`${scheme}://${location.host}/ws?${query}`);
};

const connection = new Connection({
  open: await openSocket(),
  onMessage: (message) => handlers[message.type]?.(message),
  onState: (state, text) => {
    find('status').dataset.state = state;
    find('status').textContent = text;
    if (state !== 'open') composer.offline();
  },
});
const composer = new Composer(
  {
    say: find('say'), text: find('text'), send: find('send'), gifts: find('gifts'), like: find('like'),
    who: find('who'), notice: find('notice'), mine: find('mine'),
  },
  { send: (request) => connection.send(request), onHeart: () => hearts.rise(1) },
);
const panel = new Panel(find('panel'), {
  onControls: (change) => connection.send({ type: 'controls', ...change }),
  onReset: () => connection.send({ type: 'reset' }),
});

const host = new Host(
  {
    room: find('room'), panel: find('host'), title: find('host-title'), person: find('person'), personName: find('person-name'),
    muteRoom: find('mute-room'), noticeForm: find('notice-form'), noticeText: find('notice-text'), pinSend: find('pin-send'),
    speakWho: find('speak-who'), speakUnique: find('speak-unique'),
    nameForm: find('name-form'), nameText: find('name-text'),
  },
  { post: (request, text) => composer.post(request, text), wordsOf: (seq) => words.get(Number(seq)) },
);
const pins = new Pins(find('pins'), {
  onUnpin: (pin, text) => composer.post({ type: 'unpin', pin }, t('unpin: {text}', { text })),
});
const social = new Social(document, { onRole: setRole });
bindTheme(find('theme'), () => panel.recolour());
find('language').addEventListener('click', () => {
  switchLanguage();
  // Whoever is in the room already comes back as who they are.
  if (find('join').hidden) location.search = nick === null ? 'guest' : `name=${encodeURIComponent(nick)}`;
  else location.reload();
});

const handlers = {
  hello(hello) {
    nick = hello.nick;
    // In another life of the room, the same numbers are other messages.
    if (room !== hello.room) shown.clear();
    room = hello.room;
    earlier.greet(hello);
    pins.greet();
    find('recording').textContent = hello.recording;
    cards.setGifts(hello.gifts);
    composer.greet(hello);
    panel.greet(hello);
    social.greet(hello);
    setRole(hello.role);
  },
  batch({ items }) {
    earlier.add(items.filter((item) => item.history && isNew(item)));
    for (const item of items) {
      if (item.kind === 'gap') showGap(item);
      else if (item.what === 'retracted') item.seqs.forEach(takeBack);
      // What is pinned now comes by itself: what was, before one came, is nothing to go by.
      else if (item.what === 'pinned') { if (!item.history) pins.add(item); }
      else if (item.what === 'pins') { if (!item.history) pins.keep(item.pins); }
      else if (!item.history) showOnce(item);
    }
  },
  outcome(outcome) {
    const request = composer.outcome(outcome);
    social.outcome(outcome);
    // A server need not echo: what was sent is shown when it is known to have gone out.
    if (outcome.state !== 'dispatched' || !request) return;
    const own = { say: 'text', gift: 'gift', like: 'like' }[request.type];
    if (own) showOnce({ ...request, seq: outcome.seq, what: own, nick, own: true });
  },
  stats(stats) {
    panel.stats(stats);
    social.stats(stats);
    showRoom(stats);
    const percent = Math.round(stats.crowd.progress * 100);
    find('progress').setAttribute('aria-valuenow', String(percent));
    find('progress').firstElementChild.style.transform = `scaleX(${stats.crowd.progress})`;
  },
  error({ reason }) {
    stage.fly({ nick: '', text: reason, kind: 'gap' });
  },
  bye({ reason, retry, until_ms: ms }) {
    if (retry) return;
    setRole('guest');
    openDoor(ms ? t('{reason} until {time}', { reason: t(reason), time: clock(ms) }) : t(reason));
  },
};

function setRole(role) {
  host.setRole(role);
  find('who').dataset.role = role ?? '';
}

function showRoom({ host: owner, room_muted: muted, speak }) {
  const first = t('Nobody hosts this room yet: the first to join by name does, and may mute, kick and ban.');
  const told = owner ? t('{name} hosts this room.', { name: owner }) : first;
  if (find('door-host').textContent !== told) find('door-host').textContent = told;
  host.setMuted(muted);
  host.setSpeak(speak);
  composer.setMuted(muted && !['owner', 'admin'].includes(find('who').dataset.role));
  social.roomMuted(muted);
}

/** Whether a message was not shown yet; from now on it was. */
function isNew({ seq }) {
  if (shown.has(seq)) return false;
  shown.add(seq);
  if (shown.size > REMEMBERED) {
    const [oldest] = shown;
    shown.delete(oldest);
    words.delete(oldest);
  }
  return true;
}

function showOnce(item) {
  if (!isNew(item)) return;
  const own = item.own || (nick !== null && item.nick === nick);
  const read = READ[item.what]?.(item);
  const { nick: name, seq } = item;
  if (read) transcript.add({ nick: name, text: read, seq });
  if (item.what === 'text') words.set(seq, item.text);
  if (item.what === 'text') stage.fly({ nick: name, text: item.text, kind: own ? 'own' : '', who: name, seq });
  else if (SOCIAL.has(item.what)) social[item.what](item);
  else if (item.what === 'like') { if (!item.own) hearts.rise(item.count); }
  else cards[item.what]?.(item);
}

/** A message was taken back: it is shown nowhere any more. */
function takeBack(seq) {
  shown.add(seq);
  words.delete(seq);
  for (const place of [transcript, stage, cards, earlier]) place.remove(seq);
}

function showGap({ level, count, cause }) {
  const values = { count: count.toLocaleString('en'), level: t(level) };
  const text = cause === 'age' ? t('{count} {level} missed here, too old by now', values) : t('{count} {level} missed here', values);
  stage.fly({ nick: '', text, kind: 'gap' });
  transcript.add({ nick: '', text });
}

function openDoor(reason = '') {
  find('join').hidden = false;
  find('join-error').hidden = reason === '';
  find('join-error').textContent = reason;
  find('nick').focus();
}

function enter(name) {
  find('join').hidden = true;
  connection.join(name);
  if (name !== null) find('text').focus();
}

find('join').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = find('nick').value.trim();
  if (name === '') openDoor(t('Choose a name, or just watch.'));
  else enter(name);
});
find('join-guest').addEventListener('click', () => enter(null));
find('who').addEventListener('click', () => openDoor());
find('join').addEventListener('keydown', (event) => {
  if (event.key === 'Escape') find('join').hidden = true;
});

if (address.get('name')) enter(address.get('name'));
else if (address.has('guest')) enter(null);
else {
  // The room is alive behind the door.
  connection.join(null);
  find('nick').focus({ preventScroll: true });
}

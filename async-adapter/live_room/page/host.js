// What the host and the admins have: the choices for a name, the switch that mutes the room, and the field for a notice.
// What is allowed is the engine's to say: the page offers, and shows what the engine answers.

import { t } from './language.js';

/** For so long after a touch the switch does not follow the server. */
const HANDS_OFF_MS = 1_500;
/** As many as a pin may have. */
const MOST_CHARS = 500;
const MODERATORS = new Set(['owner', 'admin']);

export class Host {
  #elements; #post; #wordsOf; #name = ''; #seq; #touched = -HANDS_OFF_MS;

  /** `post(request, shown)` sends a request and shows what became of it; `wordsOf(seq)` are those of a message that was shown. */
  constructor(elements, { post, wordsOf }) {
    this.#elements = elements;
    this.#post = post;
    this.#wordsOf = wordsOf;
    const { room, person, panel, muteRoom, noticeForm, noticeText, pinSend, speakWho, speakUnique, nameForm, nameText } = elements;
    room.addEventListener('click', ({ target }) => {
      const name = target.closest?.('[data-nick]')?.dataset.nick;
      if (name && this.#moderates) this.open(name, target.closest('[data-seq]')?.dataset.seq);
    });
    for (const button of person.querySelectorAll('[data-act]')) button.addEventListener('click', () => this.#order(button));
    muteRoom.addEventListener('change', () => {
      const muted = muteRoom.checked;
      this.#touched = performance.now();
      this.#post({ type: 'mute-room', muted }, muted ? t('mute the room') : t('unmute the room'));
    });
    submitted(noticeForm, noticeText, (text) => this.#post({ type: 'notice', text }, t('notice: {text}', { text })));
    pinSend.addEventListener('click', () => {
      const text = noticeText.value.trim();
      if (text !== '' && this.#pin(text)) noticeText.value = '';
    });
    for (const choice of [speakWho, speakUnique]) choice.addEventListener('change', () => this.#setSpeak());
    submitted(nameForm, nameText, (name) => {
      this.open(name);
      return true;
    });
    panel.hidden = true;
  }

  /** What one is in the room: owner, admin, member or guest. */
  setRole(role) {
    const { panel, room, title } = this.#elements;
    panel.hidden = !MODERATORS.has(role);
    room.toggleAttribute('data-moderates', this.#moderates);
    title.textContent = role === 'owner' ? t('You host this room') : t('You are an admin');
  }

  /** Whether the room is muted, as the server says. */
  setMuted(muted) {
    if (performance.now() - this.#touched >= HANDS_OFF_MS) this.#elements.muteRoom.checked = muted;
  }

  /** Who may speak, as the server says. */
  setSpeak({ who, seconds, unique }) {
    if (performance.now() - this.#touched < HANDS_OFF_MS) return;
    const { speakWho, speakUnique } = this.#elements;
    const value = seconds ? `${who} ${seconds}` : who;
    // A time that the page does not offer is shown all the same.
    if (![...speakWho.options].some((option) => option.value === value)) speakWho.add(new Option(speakers({ who, seconds }), value));
    speakWho.value = value;
    speakUnique.checked = unique;
  }

  /** Offers what can be done to someone, and to the message with this number, if one was chosen. */
  open(name, seq) {
    this.#name = name;
    this.#seq = seq;
    const { person, personName } = this.#elements;
    person.querySelector('[data-act=retract-one]').hidden = !seq;
    person.querySelector('[data-act=pin-one]').hidden = !this.#wordsOf(seq);
    personName.textContent = name;
    if (!person.open) person.showModal();
  }

  get #moderates() {
    return !this.#elements.panel.hidden;
  }

  #pin(text) {
    return this.#post({ type: 'pin', text }, t('pin: {text}', { text }));
  }

  #setSpeak() {
    const { speakWho, speakUnique } = this.#elements;
    this.#touched = performance.now();
    const [who, seconds] = speakWho.value.split(' ');
    const mode = { who, unique: speakUnique.checked };
    if (seconds) mode.seconds = Number(seconds);
    this.#post({ type: 'speak-mode', mode }, t('may speak: {who}', { who: speakers(mode) }));
  }

  #order({ dataset: { act, seconds }, textContent }) {
    if (act === 'pin-one') {
      this.#pin(`${this.#name}: ${this.#wordsOf(this.#seq)}`.slice(0, MOST_CHARS));
      this.#elements.person.close();
      return;
    }
    const one = act === 'retract-one';
    const order = one ? { type: 'retract', seq: Number(this.#seq) } : { type: 'moderate', act, name: this.#name };
    if (seconds) order.seconds = Number(seconds);
    this.#post(order, `${this.#name}: ${textContent.toLowerCase()}`);
    this.#elements.person.close();
  }
}

/** Who may speak, in words. */
export function speakers({ who, seconds }) {
  if (who !== 'members') return t({ everyone: 'everyone', marked: 'marked speakers', admins: 'admins only' }[who]);
  if (seconds === 60) return t('members for a minute');
  return seconds % 60 === 0 ? t('members for {minutes} minutes', { minutes: seconds / 60 }) : t('members for {seconds} s', { seconds });
}

/** Hands over what is entered, and clears the field once it is taken. */
function submitted(form, field, take) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text !== '' && take(text)) field.value = '';
  });
}
